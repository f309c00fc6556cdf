"""From what a person asks for (a name, a script, a module, a command) to a process in the container and its history.

Nothing here talks to an engine or to the supervisor: a `Link`, the configuration and the workspace's paths are given.
"""
