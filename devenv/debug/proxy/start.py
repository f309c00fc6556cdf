"""Run by path, from wherever the folder was put: it becomes a package of its own name."""

import importlib
import os
import sys

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[0] = os.path.dirname(here)
    importlib.import_module(os.path.basename(here) + ".main").main(sys.argv[1:])
