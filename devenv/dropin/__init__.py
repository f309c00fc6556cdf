"""The reference's command line, `devcontainer`, over devenv: the same flags, JSON, log lines and exit codes.

On the warm path of scripts, so nothing is imported here, and a command's own file loads only what it needs.
"""
