"""What stands between debug clients and debugpy's adapter, and RUNS INSIDE THE CONTAINER.

Standard library only, Python 3.6 or later, imports nothing else of devenv. One process beside each program that is
debugged, started with it and gone with it. It speaks the Debug Adapter Protocol to both sides:

* a client needs only a port: folders and address that it does not name are filled in (`arguments`);
* a child process that no client claims is attached to in silence, so that it runs (`children`);
* a client that vanishes while the program is stopped leaves it stopped, and the next one finds it so (`adapter`);
* breakpoints that cannot be hit say why (`checks`).

Concurrency: a thread for each direction of each connection, blocking sockets; what they share is guarded by locks that
are never held while something is sent.
"""
