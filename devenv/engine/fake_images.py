"""Images of the fake engine as archives, in the layout of Engine 25 and later. An image is one layer of its own."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

from devenv.errors import EngineError


def with_identity(raw: Mapping[str, Any], tick: int) -> dict[str, Any]:
    """An image's id and layers, made from what it is; `tick` makes equal ones different."""
    digest = hashlib.sha256(json.dumps([tick, dict(raw)], sort_keys=True).encode()).hexdigest()
    return {"Id": f"sha256:{digest}", "RootFS": {"Layers": [f"sha256:{digest[::-1]}"]}, "Architecture": "amd64", **raw}


def archive(raw: Mapping[str, Any], reference: str) -> io.BytesIO:
    layers = [str(diff).removeprefix("sha256:") for diff in raw["RootFS"]["Layers"]]
    config = f"blobs/sha256/{raw['Id'].removeprefix('sha256:')}"
    manifest = {"Config": config, "RepoTags": [reference], "Layers": [f"blobs/sha256/{diff}" for diff in layers]}
    files = {config: json.dumps(raw).encode(), **{f"blobs/sha256/{diff}": b"a layer" for diff in layers}}
    files["manifest.json"] = json.dumps([manifest]).encode()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    made.seek(0)
    return made


def read(body: Iterator[bytes]) -> list[tuple[str, dict[str, Any]]]:
    """(name, image) for each name in an archive. Raises `EngineError` for one that is cut off."""
    try:
        with tarfile.open(fileobj=io.BytesIO(b"".join(body))) as tar:
            files = {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry)) is not None}
        (image,) = json.loads(files["manifest.json"])
        return [(name, json.loads(files[image["Config"]])) for name in image["RepoTags"]]
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise EngineError(f"cannot load the image: {error}") from error
