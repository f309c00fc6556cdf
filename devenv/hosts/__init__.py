"""Engines on other machines: their names, which one a client means, and one connection to each.

What uses an engine sees a unix socket of this machine (devenv.engine.endpoint), whatever carries it.
"""
