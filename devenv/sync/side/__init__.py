"""RUNS ON BOTH SIDES, in the container as well: standard library only, Python 3.6+. What is there, and what is done.

A tree here is made of tuples, cheap to make and to send: ("d", {name: tree}), ("f", digest, executable), ("l", target),
("u",) for what is not tracked, ("p", text) for what could not be read. Names are str, undecodable bytes as surrogates.
"""
