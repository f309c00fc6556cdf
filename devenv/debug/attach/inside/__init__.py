"""RUNS INSIDE THE CONTAINER: puts a few lines of Python into a process that runs. Standard library only, Python 3.6+,
imports nothing else of devenv.

The rule of everything here: a process that was not asked for consent by its owner goes on as it was. So nothing is
changed before it was shown that it can be changed back, nothing is called at a place where a lock may be held, and what
cannot be done is refused.
"""
