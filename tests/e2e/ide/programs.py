"""What the tests put under the debugger."""

from __future__ import annotations

from tests.kit.project import Content

PROGRAMS: dict[str, Content] = {
    "train.py": """\
import sys


def step(number, total):
    loss = 100 - number
    total += loss
    return total


def main():
    total = 0
    for number in range(3):
        total = step(number, total)
    print("total", total, *sys.argv[1:])


if __name__ == "__main__":
    main()
""",
    # Runs until the debugger says that it is enough.
    "loop.py": """\
import sys
import time

enough = False
tick = 0
while not enough:
    tick += 1
    time.sleep(0.01)
print("enough")
""",
    # Looks like a project's own package.
    "package/__init__.py": "",
    "package/__main__.py": """\
import sys
words = sys.argv[1:]
print("package", *words)
""",
    # An interpreter that ends before the program begins.
    "broken/sitecustomize.py": """\
import os, sys
if "debugpy" in " ".join(sys.orig_argv):
    print("the licence server says no", file=sys.stderr, flush=True)
    os._exit(7)
""",
    "short.py": """\
import sys
print("over before anybody came")
sys.exit(6)
""",
    "children.py": """\
import multiprocessing
import sys


def work(number):
    answer = number * 2
    return answer


if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print("answers", pool.map(work, [21]), flush=True)
""",
    "devenv.yaml": """\
runs:
  train: {script: train.py, args: [from, the, settings]}
  package: {module: package, args: [named]}
  broken: {script: train.py, env: {PYTHONPATH: broken}}
  list: {command: "ls -l"}
""",
}
