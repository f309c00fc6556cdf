"""Where a folder's environment is, remembered."""

from __future__ import annotations

import pathlib

from devenv.engine.endpoint import Endpoint
from devenv.hosts.book import Book, Host
from devenv.hosts.places import Place, Places

REMOTE = Endpoint("unix:///s/hosts/x/engine.sock", "host gpu-box", ssh="ssh://me@gpu", name="gpu-box")
BOOK = Book(pathlib.Path("hosts.yaml"), {"gpu-box": Host("gpu-box", "ssh", "me@gpu")})
HERE = Endpoint("unix:///var/run/docker.sock", "default")


def test_put_get_and_drop(tmp_path: pathlib.Path) -> None:
    places = Places(tmp_path)
    places.put("/work/a", REMOTE, BOOK)
    places.put("/work/b", HERE, BOOK)
    assert Places(tmp_path).get("/work/a") == Place("gpu-box", "ssh://me@gpu")
    assert places.get("/work/b") == Place("local", "")
    assert places.all() == [Place("gpu-box", "ssh://me@gpu")]
    places.drop("/work/a")
    assert Places(tmp_path).get("/work/a") is None


def test_one_folder_by_two_names_is_one(tmp_path: pathlib.Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    places = Places(tmp_path)
    places.put(str(tmp_path / "link"), REMOTE, BOOK)
    assert places.get(str(tmp_path / "real")) is not None


def test_an_engine_that_only_the_clients_variables_name_is_not_remembered(tmp_path: pathlib.Path) -> None:
    places = Places(tmp_path)
    places.put("/work/a", Endpoint("tcp://10.0.0.5:2376", "DOCKER_HOST"), BOOK)
    assert places.get("/work/a") is None


def test_a_name_counts_as_long_as_the_book_has_it(tmp_path: pathlib.Path) -> None:
    place = Place("gpu-box", "ssh://me@gpu")
    assert place.name(Book(tmp_path, {"gpu-box": Host("gpu-box", "ssh", "me@new")})) == "gpu-box"
    assert place.name(Book(tmp_path)) == "ssh://me@gpu"
    assert Place("local", "").name(Book(tmp_path)) == "local"


def test_a_name_that_is_not_the_books_stays(tmp_path: pathlib.Path) -> None:
    places = Places(tmp_path)
    places.put("/work/a", REMOTE, Book(tmp_path))
    (place,) = places.all()
    assert place.name(Book(tmp_path)) == "gpu-box"


def test_what_cannot_be_read_is_as_good_as_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / "places.json").write_text('{"folders": {"/work/a": 1}}')
    places = Places(tmp_path)
    assert places.get("/work/a") is None
    places.put("/work/a", REMOTE, BOOK)
    assert places.get("/work/a") is not None
