"""Scripts that the tests run in containers. Each shows one habit of real programs."""

from __future__ import annotations

from tests.kit.project import Content

PROGRAMS: dict[str, Content] = {
    # Words to both streams and an exit code.
    "streams.py": """\
import sys
print("to out", *sys.argv[1:])
print("to err", file=sys.stderr)
sys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
""",
    # Talks line by line, tells its window, says when it is interrupted.
    "talk.py": """\
import os, signal, sys
def window(*_):
    if sys.stdout.isatty():
        size = os.get_terminal_size()
        print(f"window {size.lines}x{size.columns}")
signal.signal(signal.SIGWINCH, window)
print("hello, terminal" if sys.stdout.isatty() else "hello, pipe")
window()
try:
    for line in sys.stdin:
        print("heard", line.strip())
        if line.strip() == "bye":
            sys.exit(5)
except KeyboardInterrupt:
    print("interrupted")
    sys.exit(9)
print("input ended")
""",
    # Numbered lines on both streams: half of them, then the rest once a file is there.
    "count.py": """\
import os, sys, time
def lines(first, last):
    for number in range(first, last):
        print("line", number)
        if number % 1000 == 0:
            print("mark", number, file=sys.stderr)
lines(0, 20000)
print("half")
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
lines(20000, 40000)
print("all")
""",
    # Children of both kinds: a plain one, and one that a double fork takes out of the session.
    "family.py": """\
import os, subprocess, sys, time
subprocess.Popen(["sleep", "7001"])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "7002"])
    os._exit(0)
print("family is there")
time.sleep(7000)
""",
    # N megabytes without a newline.
    "flood.py": """\
import sys
for _ in range(int(sys.argv[1])):
    sys.stdout.buffer.write(b"0123456789abcdef" * 65536)
""",
    # Bytes that are no UTF-8.
    "bytes.py": """\
import sys
sys.stdout.buffer.write(b"caf\\xe9 \\xff\\xfe\\x00 end\\n")
""",
    # Waits for its end, deaf to nothing.
    "wait.py": """\
import time
print("waiting")
time.sleep(7000)
""",
}

SETTINGS = """\
runs:
  greet:
    script: streams.py
    args: ["3"]
    env: {GREETING: hello}
  list:
    command: [ls, -1]
  shellish:
    command: 'echo "$GREETING"; exit 4'
    env: {GREETING: from the shell}
"""
