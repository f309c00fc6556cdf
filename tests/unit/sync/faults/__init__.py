"""Faults by their number in the list that the engine was designed against (c1 to c62), each injected and survived.

Elsewhere, where the part that it concerns is tested: c2 and c53 (a cut at every byte: `test_pack`, and here at every
call), c7 (`test_session`, `test_store`), c9 (`test_pair`), c12 (`test_pair`), c15 (`test_apply`, and every seed of the
simulator), c26 (`test_pair`), c27 to c30 (`test_watch`), c43 (`test_given`, `test_wire`, `test_remote`), c55, c56 and c61
(`test_wire`, `test_remote`), c58 (`test_rules_in_use`), c59 (`test_rules`), c60 (`test_apply`), c62 (`test_place`).

Not here: c10 and c57 need an engine and a network that can be slowed (`tests/e2e/remote`), c14 a machine that sleeps (for
the sides it is a lost watcher: `none` and `lost` hints of the simulator), c22 and c23 at full size a benchmark, c32
FSEvents, c40 a host with Windows, c45 a container's own users. c36 to c38 need a file system that folds names; none can be
mounted here without libfuse, so the simulator's kernel has one.
"""
