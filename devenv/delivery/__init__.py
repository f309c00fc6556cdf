"""Tools that are brought into a container: kept on the host by content, placed without touching the user's environment.

What a tool is and which one fits an interpreter is its own room's business (`devenv.debug`, `devenv.profile`).
"""
