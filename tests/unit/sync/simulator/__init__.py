"""The whole engine over two disks of the simulator's own: the real code of both sides, a kernel that is only numbers.

A schedule is what people write and what goes wrong, at which call of the kernel. Its seed says all of it. In most of
them both sides are called directly; in one of eight the container's is its process behind the wire. One in twenty goes
one way only: the side that gives is never changed, and whatever it has is on the other one, or told.
"""
