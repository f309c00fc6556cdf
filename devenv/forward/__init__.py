"""Ports of the container on host loopback: listeners, the relay, detection, and the table that people see.

A forward outlives links: its listener never closes while its environment lives, and one connection's failure is that
connection's alone. Nothing here binds an outer address.
"""
