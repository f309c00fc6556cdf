"""The test kit: a dict becomes a project on disk, a user runs the CLI, real clients talk to what comes up.

Used by integration and end-to-end tests. Nothing here may import `devenv`: the product is used from outside,
as its users do.
"""
