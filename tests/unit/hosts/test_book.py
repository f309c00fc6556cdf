"""The book of hosts: what it says, what is wrong with it, and edits that leave the rest alone."""

from __future__ import annotations

import pathlib
import stat

import pytest

from devenv.errors import ConfigError, NotFound, UsageError
from devenv.hosts import book
from devenv.hosts.book import Host

WRITTEN = """\
# my machines
default: gpu-box

hosts:
  # the fast one
  gpu-box: {ssh: me@gpu.example}   # in the cellar
  lab:
    context: lab
    # no certificates
  rack: {tcp: "tcp://10.0.0.5:2376", tls: ~/.docker/rack}

# the end
"""


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "devenv" / "hosts.yaml"
    path.parent.mkdir()
    path.write_text(WRITTEN)
    return path


def test_every_kind_is_read(file: pathlib.Path) -> None:
    found = book.read(file)
    assert found.default == "gpu-box"
    assert found.hosts == {
        "gpu-box": Host("gpu-box", "ssh", "me@gpu.example"),
        "lab": Host("lab", "context", "lab"),
        "rack": Host("rack", "tcp", "tcp://10.0.0.5:2376", "~/.docker/rack"),
    }


def test_no_file_is_an_empty_book(tmp_path: pathlib.Path) -> None:
    assert book.read(tmp_path / "hosts.yaml").hosts == {}


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("hosts:\n  a: {shh: me@x}\n", 2, "hosts.a.shh", "did you mean ssh"),
        ("hosts:\n  a: {ssh: me@x, tcp: 'tcp://y:1'}\n", 2, "hosts.a", "exactly one of"),
        ("hosts:\n  a: me@x\n", 2, "hosts.a", "ssh, context, tcp"),
        ("hosts:\n  local: {ssh: me@x}\n", 2, "hosts.local", "no name for a host"),
        ("hosts:\n  a: {ssh: -oProxyCommand=evil}\n", 2, "hosts.a.ssh", "no ssh destination"),
        ("hosts:\n  a: {tcp: 10.0.0.5}\n", 2, "hosts.a.tcp", "write tcp://"),
        ("default: gpubox\nhosts:\n  gpu-box: {ssh: x}\n", 1, "default", "did you mean gpu-box"),
        ("host:\n  a: {ssh: x}\n", 1, "host", "did you mean hosts"),
        ("hosts:\n  a: {ssh: x}\n  a: {ssh: y}\n", 3, "hosts.a", "written twice"),
        ("hosts: [a]\n", 1, "hosts", "needs a mapping"),
    ],
)
def test_a_problem_has_its_place(text: str, line: int, key: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        book.parse(text, pathlib.Path("hosts.yaml"))
    first = caught.value.problems[0]
    assert (first.line, first.key) == (line, key)
    assert says in str(first)


def test_adding_keeps_what_a_person_wrote(file: pathlib.Path) -> None:
    book.add(file, Host("box", "ssh", "ssh://me@box:2222"))
    assert file.read_text() == WRITTEN.replace(
        "tls: ~/.docker/rack}\n", 'tls: ~/.docker/rack}\n  box: {ssh: "ssh://me@box:2222"}\n'
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_name_that_is_there_is_replaced_in_its_place(file: pathlib.Path) -> None:
    book.add(file, Host("lab", "ssh", "me@lab"))
    assert book.read(file).hosts["lab"] == Host("lab", "ssh", "me@lab")
    text = file.read_text()
    assert text.index("lab:") < text.index("rack:")
    assert "# in the cellar" in text


def test_the_first_one_makes_the_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "new" / "hosts.yaml"
    book.add(path, Host("box", "ssh", "me@box"))
    assert path.read_text() == "hosts:\n  box: {ssh: me@box}\n"


def test_removing_the_default_removes_both(file: pathlib.Path) -> None:
    book.remove(file, "gpu-box")
    found = book.read(file)
    assert (found.default, [*found.hosts]) == ("", ["lab", "rack"])
    assert "# my machines" in file.read_text()


def test_the_last_one_removed_leaves_a_file_that_can_be_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "hosts.yaml"
    book.add(path, Host("box", "ssh", "me@box"))
    book.remove(path, "box")
    assert book.read(path).hosts == {}


def test_use_and_back(file: pathlib.Path) -> None:
    book.use(file, "rack")
    assert book.read(file).default == "rack"
    book.use(file, "local")
    assert book.read(file).default == ""
    assert file.read_text() == WRITTEN.replace("default: gpu-box\n", "")


def test_an_unknown_name_has_the_nearest(file: pathlib.Path) -> None:
    with pytest.raises(NotFound) as caught:
        book.use(file, "gpubox")
    assert "gpu-box" in caught.value.hint


def test_a_file_in_one_line_is_written_anew(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text("{default: a, hosts: {a: {ssh: me@a}}}\n")
    book.add(path, Host("b", "ssh", "me@b"))
    found = book.read(path)
    assert (found.default, [*found.hosts]) == ("a", ["a", "b"])


def test_a_link_stays_one(file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    link = tmp_path / "hosts.yaml"
    link.symlink_to(file)
    book.use(link, "lab")
    assert link.is_symlink()
    assert book.read(file).default == "lab"


def test_certificates_belong_to_tcp() -> None:
    with pytest.raises(UsageError, match="tcp"):
        book.checked("a", "ssh", "me@x", "/certs")
