"""A small client of the OCI distribution protocol: what dev container features and templates need of a registry.

It knows nothing of features. Every call blocks and may be ended from another thread; `threads` is the way in from
asyncio. Nothing here reads the process's own environment or files that the caller's environment does not name.
"""
