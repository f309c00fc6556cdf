"""Jupyter, TensorBoard and the project's own servers: runs of kind `service` that listen on the container's loopback.

A service is reached through a forward only. Its token never stands in an argument list, a label or a log.
"""
