"""Faults by their number in the list that the engine was designed against (c1 to c62), each injected and survived.

Elsewhere, where the part that it concerns is tested: c7 (`test_session`, `test_store`), c9, c12 and c26 (`test_pair`),
c15 (`test_apply`, and every seed of the simulator), c27 to c30 (`test_watch`), c43 (`test_given`, `test_wire`,
`test_remote`), c53 at every byte (`test_pack`), c55, c56 and c61 (`test_wire`, `test_remote`), c58
(`test_rules_in_use`), c59 (`test_rules`), c60 (`test_apply`), c62 (`test_place`).

Not here: c10 and c57 need an engine and a network that can be slowed; c14 a machine that sleeps (for the sides it is a
lost watcher, which the simulator has); c22 and c23 at their full size are a benchmark; c32 needs FSEvents, c40 a host
with Windows, c45 a container's own users. A file system that folds names (c36 to c38) cannot be mounted here without
libfuse: the simulator's kernel has one.
"""
