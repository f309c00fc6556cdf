"""What would travel, and what a person is asked about first."""

from __future__ import annotations

import os
import pathlib
import unicodedata

import pytest

from devenv.config import OutputConfig, SyncConfig
from devenv.sync import secrets, survey_text
from devenv.sync import survey as surveys
from devenv.sync.rules import collect
from devenv.sync.survey import Finding, Kind, Limits, Survey, Weight, survey

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----\n" * 2
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def make(root: pathlib.Path, files: dict[str, int | str]) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            (root / path).write_text(content)
        else:
            with (root / path).open("wb") as file:
                file.truncate(content)  # no blocks: sizes cost nothing


def look(root: pathlib.Path, config: SyncConfig | None = None, **limits: int) -> Survey:
    config = config or SyncConfig()
    known = Limits.of(config)
    return survey(root, collect(root, config), Limits(**{**{s: getattr(known, s) for s in known.__slots__}, **limits}))


def found(seen: Survey, kind: Kind) -> list[str]:
    return [finding.path for finding in seen.findings if finding.kind is kind]


def test_what_travels_is_counted(tmp_path: pathlib.Path) -> None:
    make(
        tmp_path,
        {"a.py": 100, "src/b.py": 50, "node_modules/x": 5000, ".gitignore": "*.log\n", "x.log": 70, ".git/y": 9},
    )
    (tmp_path / "here").symlink_to("a.py")
    os.mkfifo(tmp_path / "pipe")
    seen = look(tmp_path)
    assert (seen.files, seen.size) == (4, 156)
    assert not seen.asks
    assert seen.findings == ()


def test_the_folders_that_weigh_most(tmp_path: pathlib.Path) -> None:
    make(
        tmp_path,
        {
            "data/raw/deep/a": 6000, "data/raw/deep/b": 3000, "data/note": 10, "docs/x": 500, "docs/y/z": 500,
            "src/m.py": 10, "top": 10_000,
        },
    )  # fmt: skip
    assert look(tmp_path).folders == (
        Weight("data/raw/deep", 2, 9000),
        Weight("docs", 2, 1000),
        Weight("docs/y", 1, 500),
    )


def test_too_many_files_are_told_by_their_number(tmp_path: pathlib.Path) -> None:
    make(tmp_path, {f"many/{number}": 1 for number in range(30)} | {"large/x": 10_000})
    seen = look(tmp_path, max_files=30)
    assert seen.too_many
    assert seen.asks
    assert [one.path for one in seen.folders] == ["many", "large"]
    assert not look(tmp_path, max_files=31).too_many


def test_large_files(tmp_path: pathlib.Path) -> None:
    make(tmp_path, {"fits": 100, "big": 101, "huge": 1025, "runs/a": 10, "runs/b": 11, ".gitignore": "runs/\n"})
    config = SyncConfig(max_file="1k", outputs=[OutputConfig(pattern="runs/", max="10")])
    seen = look(tmp_path, config, big=100)
    assert found(seen, Kind.BIG) == ["big"]
    assert found(seen, Kind.LEFT_OUT) == ["huge", "runs/b"]
    assert (seen.files, seen.size) == (4, 100 + 101 + 10 + 6)
    assert seen.asks


def test_a_real_size_of_two_gigabytes_stays(tmp_path: pathlib.Path) -> None:
    make(tmp_path, {"m.pt": (2 << 30) + 1, "n.pt": 2 << 30})
    seen = look(tmp_path)
    assert (found(seen, Kind.LEFT_OUT), found(seen, Kind.BIG)) == (["m.pt"], ["n.pt"])


@pytest.mark.parametrize(
    "name",
    [
        *(".env", ".env.local", "prod.env", ".envrc", "id_rsa", "id_ed25519", "credentials", "credentials.json"),
        *("aws_credentials.csv", ".netrc", ".pgpass", ".git-credentials", "service-account.json", "kaggle.json"),
        *("store.p12", "x.keystore", "main.tfstate", "secrets.yaml", "client_secret_web.json", "CREDENTIALS.TXT"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert secrets.of_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            ".env.example",
            ".env.sample",
            "credentials.py",
            "id_rsa.pub",
            "environment.yml",
            ".environment",
            "secrets.py",
            "keys.py",
        ),
        *(
            ".environment",
            "test_credentials.py",
            "a.json",
            "env",
            "credentials.example.json",
            "README.md",
            "monkey",
            "keystore.go",
        ),
    ],
)
def test_names_of_no_secrets(name: str) -> None:
    assert not secrets.of_name(name)


def test_secrets_by_name_and_by_content(tmp_path: pathlib.Path) -> None:
    make(
        tmp_path,
        {
            ".env": "TOKEN=1", "deploy": KEY, "tls/server.pem": KEY, "tls/ca.pem": CERTIFICATE, "tls/der.key": "\x01",
            "notes.txt": "about keys " * 20, "gcp.json": '{"type": "service_account", "project_id": "x"}' + " " * 99,
            ".aws/config": "x", ".npmrc": "//registry/:_authToken=abc\n", "web/.npmrc": "save-exact=true\n",
            "src/key.py": KEY, "empty.pem": "", "large.txt": 50_000,
        },
    )  # fmt: skip
    (tmp_path / "link.pem").symlink_to("deploy")
    seen = look(tmp_path)
    assert sorted(found(seen, Kind.SECRET)) == [
        *(".aws", ".env", ".npmrc", "deploy", "gcp.json", "tls/der.key", "tls/server.pem")
    ]
    assert seen.asks


def test_only_so_many_files_are_read(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "MOST_LOOKED_INTO", 2)
    make(tmp_path, dict.fromkeys("abcd", KEY))
    assert found(look(tmp_path), Kind.SECRET) == ["a", "b"]


def test_names_that_other_machines_take_for_one(tmp_path: pathlib.Path) -> None:
    composed = "caf\u00e9"
    make(tmp_path, {"Makefile": 1, "makefile": 1, "a/x": 1, "A/x": 1, "b/X": 1, "c/x": 1, composed: 1})
    (tmp_path / unicodedata.normalize("NFD", composed)).touch()
    seen = look(tmp_path)
    assert [(f.path, f.why) for f in seen.findings if f.kind is Kind.TWINS] == [
        ("a", "A"),
        (composed, unicodedata.normalize("NFD", composed)),
        ("makefile", "Makefile"),
    ]
    assert not seen.asks


def test_names_that_are_no_text(tmp_path: pathlib.Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    make(tmp_path, {name: 1, f"{name}.d/x": 1})
    assert sorted(found(look(tmp_path), Kind.NOT_UTF8)) == [name, f"{name}.d"]


def test_what_cannot_be_read(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, {"closed/x": 1, "secret": 5, "open": 3})
    scandir, access = os.scandir, os.access
    closed = tmp_path / "closed"

    def refused(path: pathlib.Path) -> object:
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(tmp_path / "secret") and access(path, mode))
    seen = survey(tmp_path, collect(tmp_path), Limits())
    assert [(f.path, f.is_folder, f.why) for f in seen.findings] == [
        ("secret", False, "Permission denied"),
        ("closed", True, "Permission denied"),
    ]


def test_a_root_that_is_gone(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        look(tmp_path / "gone")


def test_findings_are_limited_and_counted(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "MOST_KEPT", 3)
    make(tmp_path, {f"{number}.env": 1 for number in range(10)})
    seen = look(tmp_path)
    assert (len(seen.findings), seen.counts) == (3, {Kind.SECRET: 10})


def test_an_answer_leaves_it_out(tmp_path: pathlib.Path) -> None:
    make(tmp_path, {"a[1]/.env": 1, "b/.env": 1, ".aws/x": 1, os.fsdecode(b"\xff.env"): 1})
    answers = [finding.line for finding in look(tmp_path).findings if finding.path != "b/.env"]
    (tmp_path / ".devenvignore").write_bytes("\n".join(answers).encode("utf-8", "surrogateescape"))
    assert {finding.path for finding in look(tmp_path).findings} == {"b/.env"}


# as text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        *((0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (1536, "1.5 KB"), (10_240, "10 KB"), (1_023_999, "1.0 MB")),
        *((100 << 20, "100 MB"), (2 << 30, "2.0 GB"), (5000 << 40, "5000 TB")),
    ],
)
def test_sizes_as_text(size: int, text: str) -> None:
    assert survey_text.size_text(size) == text


def test_the_text_of_a_survey() -> None:
    seen = Survey(
        Limits(max_files=1000, big=100),
        12_345,
        3 << 30,
        (Weight("data/raw", 12_000, 2 << 30), Weight("docs", 300, 5000)),
        (
            Finding(Kind.SECRET, ".env", size=10, why="variables that are often secret"),
            Finding(Kind.SECRET, ".aws", True, why="credentials of AWS"),
            Finding(Kind.BIG, "m\x1b[31m.pt", size=200 << 20),
            Finding(Kind.TWINS, "makefile", why="Makefile"),
            Finding(Kind.NOT_UTF8, "caf\udce9"),
        ),
        {Kind.SECRET: 11, Kind.BIG: 1, Kind.TWINS: 1, Kind.NOT_UTF8: 1},
    )
    assert survey_text.lines(seen) == [
        "12,345 files, 3.0 GB",
        "That is more than 1,000 files (sync.max-files).",
        "",
        "    size      files  folder",
        "  2.0 GB     12,000  data/raw/",
        "  4.9 KB        300  docs/",
        "",
        "These look like secrets:",
        "  .env                                    variables that are often secret",
        "  .aws/                                   credentials of AWS",
        "  and 9 more",
        "",
        "These are large:",
        "  m\\x1b[31m.pt                            200 MB",
        "",
        "These are called alike but for case, and are one file on some machines:",
        "  makefile                                Makefile",
        "",
        "These have names that are not UTF-8:",
        "  caf\\udce9",
    ]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("name", ["x" * 300, "\u6f22" * 100, "e\u0301" * 200, "\x1b" * 90, "\u202e" * 40])
def test_no_line_is_wider_or_obeyed(width: int, name: str) -> None:
    findings = tuple(Finding(kind, name, size=1 << 40, why=name if kind is Kind.TWINS else "a") for kind in Kind)
    seen = Survey(Limits(), 1, 1, (Weight(name, 10**9, 10**15),), findings, dict.fromkeys(Kind, 1))
    for line in survey_text.lines(seen, width):
        assert sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line) <= width + line.count(
            "\u0301"
        )
        assert line.isprintable()
