"""Where the boot line goes on. Whatever the image prints comes before; nothing but frames comes after."""

import os
import signal

from .serve import Server


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sink = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no frame
    Server(0, sink).run()
