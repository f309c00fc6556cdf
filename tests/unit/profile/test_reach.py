"""Which right a process needs to be looked into, and what is said where it is missing."""

from __future__ import annotations

import errno
import pathlib

import pytest

from devenv.delivery.interpreter import Interpreter
from devenv.errors import ExitCode, ProfileError
from devenv.profile.cache import ToolCache, own_py_spy
from devenv.profile.host_pid import container_pid
from devenv.profile.reach import Way, ways
from devenv.profile.tools import in_interpreter, py_spy
from tests.unit.profile.test_stacks import process

DENIED = errno.EACCES


@pytest.mark.parametrize(
    ("owner", "attach", "yama", "mounted", "expected"),
    [
        pytest.param(1000, 0, -1, False, [Way.LINK], id="one's own"),
        pytest.param(0, DENIED, -1, True, [Way.OWNER, Way.PRIVILEGED], id="root's"),
        pytest.param(0, DENIED, 0, False, [Way.OWNER], id="root's, where nothing is mounted"),
        pytest.param(1000, DENIED, 1, True, [Way.PRIVILEGED], id="Ubuntu's default"),
        pytest.param(1000, DENIED, -1, True, [Way.PRIVILEGED], id="a process that is not dumpable"),
        pytest.param(0, 0, 3, True, [Way.LINK], id="what works is not refused"),
    ],
)
def test_the_least_right_that_is_enough(owner: int, attach: int, yama: int, mounted: bool, expected: list[Way]) -> None:
    assert ways(process(7, uid=owner, attach=attach), uid=1000, yama=yama, mounted=mounted) == expected


@pytest.mark.parametrize(
    ("owner", "yama", "mounted", "what", "remedy"),
    [
        (1000, 1, False, "only parents", "SYS_PTRACE"),
        (1000, 3, True, "forbids it to everybody", "restart of the machine"),
        (1000, -1, False, "not dumpable", "SYS_PTRACE"),
        (0, 1, False, "only parents", "SYS_PTRACE"),
    ],
)
def test_what_is_missing_is_said(owner: int, yama: int, mounted: bool, what: str, remedy: str) -> None:
    with pytest.raises(ProfileError, match=what) as caught:
        ways(process(7, uid=owner, attach=DENIED), uid=1000, yama=yama, mounted=mounted)
    assert remedy in caught.value.hint
    assert caught.value.code == ExitCode.DEBUG


def test_a_process_of_elsewhere_is_refused_whatever_the_rights() -> None:
    with pytest.raises(ProfileError, match="does not belong to this container"):
        ways(process(7, inside=False), uid=0, yama=-1, mounted=True)


def test_an_id_of_the_host_is_the_containers_own(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "4711"
    folder.mkdir()
    (folder / "cgroup").write_text("0::/docker/abc123\n")
    (folder / "status").write_text("Name:\tpython3\nNSpid:\t4711\t31\n")
    assert container_pid(4711, "abc123", str(tmp_path)) == 31
    assert container_pid(4711, "other", str(tmp_path)) is None
    assert container_pid(1, "abc123", str(tmp_path)) is None


def test_py_spy_is_one_program_for_a_machine() -> None:
    tool = py_spy("aarch64")
    assert (tool.folder, tool.requirement) == ("py-spy-0.4.3-aarch64", "py-spy==0.4.3")
    assert tool.keep("py_spy-0.4.3.data/scripts/py-spy") == "py-spy"
    assert tool.keep("py_spy-0.4.3.dist-info/METADATA") is None
    with pytest.raises(ProfileError, match="riscv64"):
        py_spy("riscv64")


@pytest.mark.parametrize(
    ("name", "python", "glibc", "folder"),
    [
        ("memray", (3, 11, 7), (2, 36), "memray-1.20.0-cp311-x86_64-gnu"),
        ("memray", (3, 8, 1), None, "memray-1.19.3-cp38-x86_64-musl"),
        ("viztracer", (3, 9, 2), (2, 31), "viztracer-1.0.4-cp39-x86_64-gnu"),
    ],
)
def test_a_wheel_is_for_one_interpreter(
    name: str, python: tuple[int, int, int], glibc: tuple[int, int] | None, folder: str
) -> None:
    assert in_interpreter(name, Interpreter("/usr/bin/python3", python, "x86_64", glibc)).folder == folder


@pytest.mark.parametrize(("python", "kind"), [((3, 6, 9), "cpython"), ((3, 15, 0), "cpython"), ((3, 10, 0), "pypy")])
def test_an_interpreter_that_a_tool_does_not_know_is_named(python: tuple[int, int, int], kind: str) -> None:
    with pytest.raises(ProfileError, match="/usr/bin/python3"):
        in_interpreter("memray", Interpreter("/usr/bin/python3", python, "x86_64", (2, 36), kind))


def test_what_a_container_does_not_need_stays_behind() -> None:
    tool = in_interpreter("viztracer", Interpreter("", (3, 11, 0), "x86_64", (2, 36)))
    assert tool.keep("viztracer/tracer.py") == "viztracer/tracer.py"
    assert tool.keep("viztracer/web_dist/v52/frontend_bundle.js") is None
    assert tool.keep("viztracer-1.1.1.dist-info/RECORD") is None


def test_our_own_py_spy_needs_no_network(tmp_path: pathlib.Path) -> None:
    import platform

    own = own_py_spy()
    assert own is not None
    tree = ToolCache(tmp_path).py_spy(platform.machine())
    assert tree.name == f"py-spy-{own[0]}-{platform.machine()}"
    assert (tree / "py-spy").stat().st_mode & 0o777 == 0o755


def test_a_tool_without_network_says_how_to_get_it(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ProfileError, match=r"memray 1\.20\.0") as caught:
        ToolCache(tmp_path).tree(in_interpreter("memray", Interpreter("", (3, 11, 0), "x86_64", (2, 36))))
    assert "devenv profile --fetch" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
