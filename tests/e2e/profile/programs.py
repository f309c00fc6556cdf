"""Programs to look into: a training that hangs, one that works, one that allocates, and some that are no Python."""

DEADLOCK = """\
import multiprocessing as mp, os, sys, threading

def hold(first, second, both):
    with first:
        both.wait()
        with second:
            pass

def step():
    a, b, both = threading.Lock(), threading.Lock(), threading.Barrier(2)
    threading.Thread(target=hold, args=(b, a, both), name="reducer", daemon=True).start()
    hold(a, b, both)

def load(queue):
    queue.get()

def rank(number):
    queue = mp.Queue()
    loader = mp.Process(target=load, args=(queue,), daemon=True)
    loader.start()
    print("rank", number, flush=True)
    step()

if __name__ == "__main__":
    ranks = [mp.Process(target=rank, args=(n,)) for n in range(3)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
"""

TRAIN = """\
import sys, time

def forward(size):
    return sum(i * i for i in range(size))

def backward(size):
    return sorted(str(i) for i in range(size))

def train(seconds, sizes):
    end = time.time() + seconds
    while time.time() < end:
        forward(sizes[0])
        backward(sizes[1])

if __name__ == "__main__":
    train(float(sys.argv[1]), [int(size) for size in sys.argv[2:4]] or [20000, 2000])
    print("trained", *sys.argv[1:])
    sys.exit(4)
"""

MEMORY = """\
import os, signal, sys

def load(count):
    return [bytearray(1_000_000) for _ in range(count)]

data = load(30)
print("loaded", len(data), *sys.argv[1:], flush=True)
if "--die" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(3)
"""

RANKS = """\
import sys, torch, torch.distributed as dist
from torch.utils.data import DataLoader, TensorDataset

def reduce(x):
    dist.all_reduce(x)

def main():
    dist.init_process_group("gloo")
    loader = iter(DataLoader(TensorDataset(torch.zeros(64, 1)), num_workers=1, persistent_workers=True))
    next(loader)
    if dist.get_rank() == 0:
        sys.stdin.read()
    reduce(torch.zeros(1))

main()
"""

PROGRAMS = {
    "deadlock.py": DEADLOCK,
    "train.py": TRAIN,
    "memory.py": MEMORY,
    "sleep.py": "import time\n\ndef nap():\n    time.sleep(300)\n\nnap()\n",
    "wait.sh": "#!/bin/sh\nexec sleep 300\n",
}
