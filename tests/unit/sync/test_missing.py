"""What a side says that it lacks, of contents that steps need."""

from __future__ import annotations

import hashlib
import pathlib

from devenv.sync.side.place import Place


def test_where_nothing_is_left_of_other_contents_nobody_looks(tmp_path: pathlib.Path) -> None:
    place, content = Place(str(tmp_path)), b"content"
    digest = hashlib.sha256(content).digest()
    steps = [("a", None, ("f", digest, False))]
    place.scan(None)
    with place.receive([]) as coming:
        coming.applier.contents.keep(digest, content)
    assert place.missing([digest]) == {}
    assert place.apply(steps, "c1") == [""]
    (tmp_path / ".devenv" / "stage").rmdir()
    assert place.missing([digest]) == {digest: 0}
    assert not (tmp_path / ".devenv" / "stage").exists()
    place.close()
