"""devenv: long-lived dev containers that feel local.

Kept empty on purpose: every command imports this file, and the warm path may load next to nothing.
"""
