"""The programs that have been attached to, on disk."""

from __future__ import annotations

import dataclasses
import pathlib

from devenv.debug.attach.book import Book, Entry

ENTRY = Entry("box", "10:00", "20260101-100000-abcd", "train.py", 41, "/state/debug-1.json", 1.0)


def test_entries_outlive_the_supervisor(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "attached.json"
    other = dataclasses.replace(ENTRY, key="process-7", pid=7)
    Book(file).add(ENTRY)
    Book(file).add(other)
    assert Book(file).of("box", "10:00") == [ENTRY, other]
    Book(file).drop(["process-7"])
    assert Book(file).all() == [ENTRY]


def test_a_program_is_there_once(tmp_path: pathlib.Path) -> None:
    book = Book(tmp_path / "attached.json")
    again = dataclasses.replace(ENTRY, endpoints="/state/debug-2.json")
    book.add(ENTRY)
    book.add(again)
    assert book.all() == [again]


def test_another_start_of_the_container_forgets(tmp_path: pathlib.Path) -> None:
    book = Book(tmp_path / "attached.json")
    book.add(ENTRY)
    later = dataclasses.replace(ENTRY, started="11:00")
    assert book.of("box", "11:00") == []
    book.add(later)
    assert book.all() == [later]


def test_a_damaged_file_is_an_empty_one(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "attached.json"
    for text in ("", "{", "7", '[{"key": 1}]'):
        file.write_text(text)
        assert Book(file).all() == []
    Book(file).add(ENTRY)
    assert Book(file).all() == [ENTRY]
