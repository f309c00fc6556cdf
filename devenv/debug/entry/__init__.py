"""Debugging that begins in the processes that a program starts, not in the program: its ranks, each with a session of
its own, or wherever an exception is not caught. `inside` is what does it, in the container."""
