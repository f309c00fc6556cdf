"""Archives on their way into a container."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from devenv.engine.archive import trimmed

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=300)


def packed(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        tar.addfile(_folder("u1000"))
    return made.getvalue()


def _folder(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    return entry


@given(st.dictionaries(NAMES, st.binary(max_size=2000), max_size=4))
def test_nothing_but_what_follows_the_end_mark_goes(files: dict[str, bytes]) -> None:
    whole = packed(files)
    made = trimmed(whole)
    assert whole.startswith(made) and made.endswith(bytes(1024)) and not whole[len(made) :].strip(b"\0")
    with tarfile.open(fileobj=io.BytesIO(made)) as tar:
        found = {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry)) is not None}
    assert list(found.values()) == list(files.values())
    assert trimmed(made) == made


def test_a_content_that_ends_with_zeros_stays_whole() -> None:
    made = trimmed(packed({"zeros": bytes(3000)}))
    with tarfile.open(fileobj=io.BytesIO(made)) as tar:
        file = tar.extractfile("zeros")
        assert file is not None and file.read() == bytes(3000)


def test_an_archive_of_nothing_is_its_end_mark() -> None:
    made = io.BytesIO()
    tarfile.open(fileobj=made, mode="w").close()
    assert trimmed(made.getvalue()) == bytes(1024)
