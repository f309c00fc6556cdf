from __future__ import annotations

import pathlib

from devenv.agent import cgroup, stats


def write(root: pathlib.Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")


def test_version_2(tmp_path: pathlib.Path) -> None:
    write(
        tmp_path,
        {
            "cgroup.controllers": "cpu memory",
            "cpu.stat": "usage_usec 1234567\nuser_usec 1",
            "memory.current": "3000000",
            "memory.stat": "anon 5\ninactive_file 1000000",
            "memory.max": "4000000000",
            "cpu.max": "150000 100000",
            "memory.events": "oom 3\noom_kill 2",
            "self": "0::/",
        },
    )
    group = cgroup.Group(str(tmp_path), str(tmp_path / "self"))
    assert group.unified
    assert group.cpu_microseconds() == 1234567
    assert group.memory() == 2_000_000
    assert group.memory_limit() == 4_000_000_000
    assert group.cpus() == 1.5
    assert group.oom_kills() == 2


def test_version_1_at_its_own_path(tmp_path: pathlib.Path) -> None:
    write(
        tmp_path,
        {
            "self": "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc",
            "cpuacct/docker/abc/cpuacct.usage": "5000000",
            "memory/docker/abc/memory.usage_in_bytes": "100",
            "memory/docker/abc/memory.limit_in_bytes": "9223372036854771712",
            "memory/docker/abc/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 7",
            "cpu/docker/abc/cpu.cfs_quota_us": "-1",
            "cpu/docker/abc/cpu.cfs_period_us": "100000",
        },
    )
    group = cgroup.Group(str(tmp_path), str(tmp_path / "self"))
    assert (group.unified, group.cpu_microseconds(), group.memory()) == (False, 5000, 100)
    assert (group.memory_limit(), group.cpus(), group.oom_kills()) == (None, None, 7)


def test_nothing_mounted(tmp_path: pathlib.Path) -> None:
    group = cgroup.Group(str(tmp_path), str(tmp_path / "none"))
    assert (group.cpu_microseconds(), group.memory(), group.memory_limit(), group.oom_kills()) == (None, None, None, 0)
    figures = stats.read(group)
    assert figures["cpu_usec"] > 0 and figures["memory"] > 0 and figures["cpus"] >= 1
