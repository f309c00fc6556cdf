"""Running a program under debugpy, and leading debuggers to it by one host port per environment.

debugpy has no authentication: it listens on the container's loopback only, and only the forward's door reaches it.
"""
