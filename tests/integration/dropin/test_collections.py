"""Collections packed, published, looked at and documented: what is printed and written, beside the reference."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.dropin.conftest import Dropin
from tests.kit import reference
from tests.kit.registry import OciRegistry

pytestmark = [pytest.mark.registry, pytest.mark.node]


def test_packed_as_the_reference_packs(dropin: Dropin, features: Path, tmp_path: Path) -> None:
    ran = dropin("features", "package", features, "-o", "ours", cwd=tmp_path)
    assert (ran.rc, ran.out) == (0, "")
    assert "nothing has no devcontainer-feature.json" in ran.err
    assert reference.run("features", "package", features, "-o", "theirs", cwd=tmp_path).returncode == 0
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    assert sorted(p.name for p in ours.iterdir()) == sorted(p.name for p in theirs.iterdir())
    listed = "devcontainer-collection.json"
    assert (ours / listed).read_bytes() == (theirs / listed).read_bytes()


def test_an_output_folder_is_emptied_only_when_told_to(dropin: Dropin, features: Path, tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "mine").touch()
    refused = dropin("features", "package", features, cwd=tmp_path)
    assert refused.rc == 1
    assert "output exists" in refused.err
    assert (tmp_path / "output" / "mine").exists()
    assert dropin("features", "package", features / "alpha", "-f", cwd=tmp_path).rc == 0
    assert not (tmp_path / "output" / "mine").exists()


@pytest.mark.parametrize("target", ["nothing", "missing"])
def test_nothing_to_pack(dropin: Dropin, features: Path, target: str) -> None:
    assert dropin("features", "package", target, cwd=features).rc == 1
    assert reference.run("features", "package", target, cwd=features).returncode == 1


@pytest.mark.parametrize("kind", ["features", "templates"])
def test_published_and_published_again(
    dropin: Dropin, registry: OciRegistry, features: Path, templates: Path, kind: str, tmp_path: Path
) -> None:
    source = features if kind == "features" else templates
    words = (kind, "publish", source, "-r", registry.host, "-n")
    first = dropin(*words, f"ours/{kind}", cwd=tmp_path)
    theirs = reference.result(*words, f"theirs/{kind}", cwd=tmp_path)
    assert first.rc == 0
    without = {name: {key: value for key, value in one.items() if key != "digest"} for name, one in theirs.items()}
    assert {n: {k: v for k, v in one.items() if k != "digest"} for n, one in first.json.items()} == without
    assert list(first.json) == list(theirs)
    again = dropin(*words, f"ours/{kind}", cwd=tmp_path)
    assert again.json == {name: {} for name in theirs}
    # What the reference published is not published a second time either.
    assert dropin(*words, f"theirs/{kind}", cwd=tmp_path).json == {name: {} for name in theirs}


REFUSED = [
    ("a name that no registry takes", ["-n", "Bad Name"]),
    ("no registry there", ["-r", "localhost:1", "-n", "a/b"]),
]


@pytest.mark.parametrize("words", [case[1] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_not_published(dropin: Dropin, features: Path, words: list[str], tmp_path: Path) -> None:
    ran = dropin("features", "publish", features, *words, cwd=tmp_path)
    assert (ran.rc, ran.out) == (1, "")
    assert reference.run("features", "publish", features, *words, cwd=tmp_path).returncode == 1


@pytest.fixture
def published(registry: OciRegistry, features: Path, templates: Path, tmp_path: Path) -> str:
    """Registry and namespace with both collections in it."""
    for source, kind in ((features, "features"), (templates, "templates")):
        reference.result(kind, "publish", source, "-r", registry.host, "-n", f"shown/{kind}", cwd=tmp_path)
    return f"{registry.host}/shown"


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("mode", ["manifest", "tags", "dependencies", "verbose"])
def test_what_a_registry_has_of_a_feature(
    dropin: Dropin, published: str, mode: str, style: str, tmp_path: Path
) -> None:
    words = ("features", "info", mode, f"{published}/features/alpha:1", "--output-format", style)
    ours = dropin(*words, cwd=tmp_path)
    theirs = reference.run(*words, cwd=tmp_path)
    assert (ours.rc, theirs.returncode) == (0, 0)
    assert _unnamed(ours.out) == _unnamed(theirs.stdout.decode())


def _unnamed(text: str) -> str:
    """Without the names of nodes in the picture, which are made of something else in either program."""
    return "\n".join(
        line.partition("[")[2] if line.endswith("alpha, oldalpha]") else line for line in text.splitlines()
    )


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("mode", ["manifest", "tags", "verbose"])
def test_a_feature_that_is_not_there(dropin: Dropin, published: str, mode: str, style: str, tmp_path: Path) -> None:
    words = ("features", "info", mode, f"{published}/features/gone", "--output-format", style)
    ours = dropin(*words, cwd=tmp_path)
    assert ours.rc == reference.run(*words, cwd=tmp_path).returncode == 1
    assert ours.out == ("{}\n" if style == "json" else "")
    assert "not found" in ours.err


def test_what_a_registry_has_of_a_template(dropin: Dropin, published: str, tmp_path: Path) -> None:
    words = ("templates", "metadata", f"{published}/templates/one")
    ours, theirs = dropin(*words, cwd=tmp_path), reference.run(*words, cwd=tmp_path)
    assert (ours.rc, ours.out) == (0, theirs.stdout.decode())


@pytest.mark.parametrize("name", ["templates/gone", "./x", "templates"])
def test_a_template_that_is_not_there(dropin: Dropin, published: str, name: str, tmp_path: Path) -> None:
    written = name if name.startswith(".") else f"{published}/{name}"
    ours = dropin("templates", "metadata", written, cwd=tmp_path)
    theirs = reference.run("templates", "metadata", written, cwd=tmp_path)
    assert (ours.rc, ours.out) == (theirs.returncode, theirs.stdout.decode()) == (1, "{}\n")


@pytest.mark.parametrize("links", [(), ("--github-owner", "o", "--github-repo", "r")], ids=["file", "links"])
@pytest.mark.parametrize("kind", ["features", "templates"])
def test_documented_as_the_reference_documents(
    dropin: Dropin, features: Path, templates: Path, kind: str, links: tuple[str, ...], tmp_path: Path
) -> None:
    source = features if kind == "features" else templates
    texts = []
    for who in ("ours", "theirs"):
        folder = tmp_path / who
        shutil.copytree(source, folder / "src")
        words = (kind, "generate-docs", "-p", "./src", *(("-n", "a/b") if kind == "features" else ()), *links)
        if who == "ours":
            ran = dropin(*words, cwd=folder)
            assert (ran.rc, ran.out) == (0, "")
        else:
            assert reference.run(*words, cwd=folder).returncode == 0
        texts.append({str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("README.md"))})
    assert texts[0] == texts[1]
    assert len(texts[0]) == 2


def test_one_manifest_that_cannot_be_read_leaves_the_others(dropin: Dropin, features: Path) -> None:
    (features / "beta" / "devcontainer-feature.json").write_text("{")
    ran = dropin("features", "generate-docs", "-p", ".", "-n", "a/b", cwd=features)
    assert ran.rc == 0
    assert "beta" in ran.err
    assert (features / "alpha" / "README.md").exists()
    assert not (features / "beta" / "README.md").exists()


def test_no_collection_there(dropin: Dropin, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    told = dropin("features", "generate-docs", "-n", "a/b", cwd=tmp_path)
    assert (told.rc, "did you mean src?" in told.err) == (0, True)
    assert dropin("features", "generate-docs", "-n", "a/b", "-p", "gone", cwd=tmp_path).rc == 1
