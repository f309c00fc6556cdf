"""devcontainer-lock.json (spec, *Lockfile*): read, written, compared."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer.features import lockfile
from devcontainer.features.lockfile import FrozenError, IntegrityError, Locked, Lockfile, LockfileError
from devcontainer.features.reference import parse
from tests.unit.devcontainer.features import graphs

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
R = "ghcr.io/x/"
A = Locked("1.0.4", f"{R}a@{ONE}", ONE, (R + "b:2",))
B = Locked("2.1.0", f"{R}b@{TWO}", TWO)

TEXT = textwrap.dedent(
    f"""\
    {{
      "features": {{
        "ghcr.io/x/a:1": {{
          "version": "1.0.4",
          "resolved": "ghcr.io/x/a@{ONE}",
          "integrity": "{ONE}",
          "dependsOn": [
            "ghcr.io/x/b:2"
          ]
        }},
        "ghcr.io/x/b:2": {{
          "version": "2.1.0",
          "resolved": "ghcr.io/x/b@{TWO}",
          "integrity": "{TWO}"
        }}
      }}
    }}
    """
)


def test_written_sorted_as_the_reference_does() -> None:
    assert lockfile.write(Lockfile({R + "b:2": B, R + "a:1": A})) == TEXT
    assert lockfile.write(Lockfile()) == '{\n  "features": {}\n}\n'


def test_read() -> None:
    found = lockfile.read(TEXT)
    assert found == Lockfile({R + "a:1": A, R + "b:2": B})
    assert lockfile.read(" \n") == Lockfile()
    assert lockfile.read("{}") == Lockfile()


BAD = [
    pytest.param("{", "l.json:1:1", id="not JSON"),
    pytest.param("[]", "must be an object with an object 'features'", id="an array"),
    pytest.param('{"features": []}', "an object 'features'", id="features that are an array"),
    pytest.param(
        '{"features": {"a": 1}}', "l.json:1:15: features.a: must be an object", id="an entry that is a number"
    ),
    pytest.param('{"features": {"a": {"resolved": "x"}}}', "'integrity' must be", id="no digest"),
    pytest.param('{"features": {"a": {"integrity": "x"}}}', "needs the texts", id="no address"),
    pytest.param('{"features": {"a": {"resolved": "x", "integrity": "sha256:12"}}}', "64", id="a short digest"),
    pytest.param(
        f'{{"features": {{"a": {{"resolved": "x", "integrity": "{ONE}", "version": 1}}}}}}', "needs the texts", id="num"
    ),
    pytest.param(
        f'{{"features": {{"a": {{"resolved": "x", "integrity": "{ONE}", "dependsOn": {{}}}}}}}}',
        "array",
        id="dependsOn",
    ),
    pytest.param(
        f'{{"features": {{"a": {{"resolved": "x", "integrity": "{ONE}", "dependsOn": [1]}}}}}}',
        "array",
        id="of numbers",
    ),
]


@pytest.mark.parametrize(("text", "words"), BAD)
def test_bad_files_are_one_line(text: str, words: str) -> None:
    with pytest.raises(LockfileError) as caught:
        lockfile.read(text, "l.json")
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert "delete" in caught.value.hint
    problem = caught.value.problem
    assert problem is not None and (problem.file, problem.line) == ("l.json", 1)
    assert "l.json" not in problem.message


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ("/w/.devcontainer/devcontainer.json", "/w/.devcontainer/devcontainer-lock.json"),
        ("/w/.devcontainer.json", "/w/.devcontainer-lock.json"),
        ("/w/.devcontainer/gpu/devcontainer.json", "/w/.devcontainer/gpu/devcontainer-lock.json"),
    ],
)
def test_path(configuration: str, expected: str) -> None:
    assert lockfile.path(configuration) == expected


WORLD = {
    R + "a": {"version": "1.0.0", "dependsOn": {R + "b:2": {}}},
    R + "b": {"version": "2.0.0"},
    "./local": {},
    "https://h/devcontainer-feature-t.tgz": {"version": "3.0.0"},
}


def test_from_steps() -> None:
    tarball = "https://h/devcontainer-feature-t.tgz"
    found = lockfile.from_steps(graphs.steps(WORLD, {R + "A:1": {}, "./local": {}, tarball: {}}))
    assert set(found.features) == {"ghcr.io/x/b:2", "ghcr.io/x/A:1", tarball}, "as written by the user"
    first = found.features[R + "A:1"]
    assert first.resolved == f"ghcr.io/x/a@{first.integrity}"
    assert (first.version, first.depends_on) == ("1.0.0", (R + "b:2",))
    assert found.features[tarball].resolved == tarball


def test_local_features_need_no_lockfile() -> None:
    found = lockfile.from_steps(graphs.steps(WORLD, {"./local": {}}))
    assert found == Lockfile()
    assert not lockfile.worth_writing(found)
    assert lockfile.worth_writing(found, always=True)


def test_features_of_this_time_only_are_not_recorded() -> None:
    steps = graphs.steps(WORLD, {R + "b:2": {}}, additional={"https://h/devcontainer-feature-t.tgz": {}})
    found = lockfile.from_steps(steps, omit=["https://h/devcontainer-feature-t.tgz"])
    assert list(found.features) == [R + "b:2"]


def test_a_feature_without_digest_cannot_be_locked() -> None:
    found = graphs.graph.Resolution({R + "b": {}})
    found.provide(parse(R + "b"), graphs.Fetched(graphs.manifest.from_value({"id": "b"})))
    with pytest.raises(LockfileError, match="no digest"):
        lockfile.from_steps(found.install_order())


def test_the_digest_of_a_reference() -> None:
    tarball = "https://h/devcontainer-feature-t.tgz"
    locked = Lockfile({"GHCR.io/x/a:1": A, tarball: B})
    assert lockfile.digest_for(locked, parse("GHCR.io/x/a:1")) == ONE
    assert lockfile.digest_for(locked, parse("ghcr.io/x/a:1")) == ONE, "keys of another tool may be lower case"
    assert lockfile.digest_for(locked, parse("ghcr.io/x/a:2")) is None
    assert lockfile.digest_for(locked, parse("https://H/devcontainer-feature-t.tgz")) == TWO
    assert lockfile.digest_for(locked, parse("./a")) is None
    assert lockfile.digest_for(None, parse("ghcr.io/x/a:1")) is None


def test_another_content_is_refused_with_both_digests() -> None:
    locked = Lockfile({R + "a:1": A})
    lockfile.verify(locked, parse(R + "a:1"), ONE)
    lockfile.verify(locked, parse(R + "other"), TWO)
    lockfile.verify(None, parse(R + "a:1"), TWO)
    with pytest.raises(IntegrityError) as caught:
        lockfile.verify(locked, parse(R + "a:1"), TWO)
    assert ONE in caught.value.message
    assert TWO in caught.value.message
    assert (caught.value.locked, caught.value.found) == (ONE, TWO)


LOCKED = Lockfile({R + "a:1": A, R + "b:2": B})


def test_frozen_and_the_same() -> None:
    lockfile.check_frozen(TEXT, LOCKED)
    compact = TEXT.replace("\n", " ")
    lockfile.check_frozen(compact, LOCKED)
    lockfile.check_frozen(None, Lockfile())
    assert not lockfile.changed(compact, LOCKED)
    assert not lockfile.changed(None, Lockfile())


@pytest.mark.parametrize(
    ("existing", "always", "words"),
    [
        pytest.param(None, False, "does not exist", id="missing"),
        pytest.param("", False, "does not match", id="empty"),
        pytest.param('{"features": {}}', False, "does not match", id="without the features"),
    ],
)
def test_frozen_and_another(existing: str | None, always: bool, words: str) -> None:
    with pytest.raises(FrozenError, match=words):
        lockfile.check_frozen(existing, LOCKED, always=always)
    assert lockfile.changed(existing, LOCKED, always=always)


def test_frozen_without_anything_to_lock_is_the_callers_choice() -> None:
    with pytest.raises(FrozenError, match="does not exist"):
        lockfile.check_frozen(None, Lockfile(), always=True)
    with pytest.raises(FrozenError, match="does not match"):
        lockfile.check_frozen("", Lockfile(), always=True)


def test_a_frozen_file_must_be_readable() -> None:
    with pytest.raises(LockfileError, match=":1:1: "):
        lockfile.check_frozen("{", LOCKED)
    assert lockfile.changed("{", LOCKED)


def test_differences_are_told_by_feature() -> None:
    newer = Locked("1.0.5", f"{R}a@{TWO}", TWO)
    with pytest.raises(FrozenError) as caught:
        lockfile.check_frozen(TEXT, Lockfile({R + "a:1": newer, R + "c": B}))
    a, b, c = caught.value.differences
    assert "1.0.5" in a
    assert "1.0.4" in a
    assert "no longer used" in b
    assert "not in it" in c


DIGESTS = st.integers(0, 2**256 - 1).map(lambda number: f"sha256:{number:064x}")
ENTRIES = st.builds(
    Locked,
    st.text(max_size=8),
    st.text(min_size=1, max_size=20),
    DIGESTS,
    st.lists(st.text(max_size=12), max_size=3).map(tuple),
)


@given(st.dictionaries(st.text(max_size=20), ENTRIES, max_size=4))
def test_what_is_written_is_read(features: dict[str, Locked]) -> None:
    text = lockfile.write(Lockfile(features))
    assert lockfile.read(text) == Lockfile(features)
    assert lockfile.write(lockfile.read(text)) == text


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        lockfile.read(text)
    except LockfileError as error:
        assert error.message
