"""Features and templates packed for publishing: one archive each, and the list of all of them.

Equal content gives equal bytes, whenever and by whomever it is packed: names are sorted, times are zero, owners are
nobody. The archives are plain tar files named `.tgz`, with `./` in front of each name, because that is what the
reference writes and what it looks for.
"""

from __future__ import annotations

import dataclasses
import io
import pathlib
import shutil
import tarfile
from collections.abc import Iterable, Mapping

from devcontainer import discover, publishing
from devcontainer.features import manifest as features
from devcontainer.jsonc import JsoncError, JsonValue, parse
from devcontainer.problem import Problem
from devcontainer.templates import manifest as templates
from devenv.errors import ConfigError, UsageError
from devenv.features import tree
from devenv.features.materialise import SCRIPT
from devenv.oci.digests import sha256

FEATURE, TEMPLATE = "feature", "template"


@dataclasses.dataclass(frozen=True, slots=True)
class Packed:
    """One feature or template. `metadata` is its manifest as it is published."""

    kind: str
    id: str
    version: str
    metadata: Mapping[str, JsonValue]
    archive: pathlib.Path
    digest: str

    @property
    def legacy_ids(self) -> tuple[str, ...]:
        listed = self.metadata.get("legacyIds")
        return tuple(one for one in listed if isinstance(one, str)) if isinstance(listed, list) else ()


@dataclasses.dataclass(frozen=True, slots=True)
class Collection:
    """What one folder gave. `file` is its `devcontainer-collection.json`; `notes` tell what was left out or is odd."""

    kind: str
    packed: tuple[Packed, ...]
    file: pathlib.Path
    notes: tuple[str, ...] = ()


def package(kind: str, target: pathlib.Path, output: pathlib.Path, *, force: bool = False) -> Collection:
    """Packs one feature or template, or all that lie in a folder, into `output`. `kind` is FEATURE or TEMPLATE.

    `output` must not exist unless `force`, which empties it. Raises UsageError for folders that cannot be used,
    ConfigError with everything that is wrong in any of them, FeatureError for files that cannot be packed. Blocking.
    """
    folders, notes = _folders(kind, target)
    made = [_Draft(kind, folder) for folder in folders]
    problems = [problem for draft in made for problem in draft.problems()]
    problems += _doubled(made)
    notes += [remark for draft in made for remark in draft.remarks()]
    if problems:
        raise ConfigError(problems)
    _prepare(target, output, force)
    packed = tuple(draft.write(output) for draft in made)
    file = output / publishing.COLLECTION_FILE
    file.write_text(publishing.collection_text(kind, [one.metadata for one in packed]), encoding="utf-8")
    return Collection(kind, packed, file, tuple(notes))


def _folders(kind: str, target: pathlib.Path) -> tuple[list[pathlib.Path], list[str]]:
    name = publishing.manifest_name(kind)
    if not target.is_dir():
        raise UsageError(f"{target} is no folder", f"name the folder with a {name}, or one with several such folders")
    if (target / name).is_file():
        return [target], []
    below = sorted(one for one in target.iterdir() if one.is_dir() and not one.name.startswith("."))
    found = [one for one in below if (one / name).is_file()]
    if not found:
        src = target / "src"
        hint = f"did you mean {src}?" if src.is_dir() else f"each has a {name} in a folder of its own"
        raise UsageError(f"no {kind} lies in {target}", hint)
    return found, [f"{one.name} has no {name}: left out" for one in below if one not in found]


def _prepare(target: pathlib.Path, output: pathlib.Path, force: bool) -> None:
    if output.exists():
        if not force:
            raise UsageError(f"the output folder {output} exists", "delete it, or say that it may be emptied")
        inside = target.resolve()
        if output.resolve() == inside or output.resolve() in inside.parents:
            raise UsageError(f"the output folder {output} holds what is to be packed", "name another one")
        shutil.rmtree(output)
    output.mkdir(parents=True)


class _Draft:
    """One folder on its way into an archive."""

    def __init__(self, kind: str, folder: pathlib.Path) -> None:
        self._kind = kind
        self._folder = folder
        self._file = folder / publishing.manifest_name(kind)
        self.manifest: features.FeatureManifest | templates.TemplateManifest
        text = self._file.read_text(encoding="utf-8", errors="replace")
        load = features.load if kind == FEATURE else templates.load
        self.manifest = load(text, str(self._file))

    def problems(self) -> list[Problem]:
        found = list(self.manifest.errors)
        if found:
            return found
        raw = self.manifest.raw
        for key in ("id", "version", "name"):
            if not isinstance(raw.get(key), str) or not raw[key]:
                found.append(self._problem(f"the property {key!r} is missing", f"a published {self._kind} needs it"))
        if self._kind == FEATURE and not (self._folder / SCRIPT).is_file():
            found.append(self._problem(f"{SCRIPT} is missing", "a feature is installed by it"))
        if self._kind == TEMPLATE:
            found += self._configuration_problems()
        return found

    def _configuration_problems(self) -> list[Problem]:
        try:
            publishing.published_template(self.manifest.raw, self._configuration(), ())
        except JsoncError as error:
            return [Problem(str(self._folder), error.line, error.column, "", f"devcontainer.json: {error.message}")]
        except ValueError as error:
            return [self._problem(str(error))]
        return []

    def _configuration(self) -> Mapping[str, JsonValue]:
        for name in (f".{discover.NAME}", f"{discover.FOLDER}/{discover.NAME}"):
            file = self._folder / name
            if file.is_file():
                value = parse(file.read_text(encoding="utf-8", errors="replace"), str(file)).value
                return value if isinstance(value, dict) else {}
        raise ValueError("the template has no devcontainer.json")

    def _problem(self, message: str, hint: str = "", key: str = "") -> Problem:
        return Problem(str(self._file), 0, 0, key, message, hint)

    def remarks(self) -> list[str]:
        """The specification wants the id to be the folder's name; the reference publishes it all the same."""
        folder = self._folder.resolve().name
        return (
            [f"{folder} holds the {self._kind} {self.manifest.id!r}: rename one"] if folder != self.manifest.id else []
        )

    def write(self, output: pathlib.Path) -> Packed:
        found = tree.files(self._folder, self.manifest.id)
        raw = self.manifest.raw
        if self._kind == TEMPLATE:
            metadata = publishing.published_template(raw, self._configuration(), [file.path for file in found])
        else:
            metadata = publishing.published_feature(raw)
        changed = {self._file.name: publishing.manifest_text(metadata).encode()} if metadata != raw else {}
        content = _tar(found, changed)
        archive = output / publishing.archive_name(self._kind, self.manifest.id)
        archive.write_bytes(content)
        return Packed(self._kind, self.manifest.id, self.manifest.version, metadata, archive, sha256(content))


def _doubled(made: Iterable[_Draft]) -> list[Problem]:
    seen: dict[str, _Draft] = {}
    found = []
    for draft in made:
        first = seen.setdefault(draft.manifest.id, draft)
        if first is not draft and draft.manifest.id:
            found.append(
                Problem(draft.manifest.file, 0, 0, "id", f"{draft.manifest.id!r} is {first.manifest.file} as well")
            )
    return found


def _tar(files: Iterable[tree.File], changed: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        folders = {"./"}
        tar.addfile(_header("./", True, folder=True))
        for file in files:
            *above, _ = file.path.split("/")
            for depth in range(1, len(above) + 1):
                name = "./" + "/".join(above[:depth]) + "/"
                if name not in folders:
                    folders.add(name)
                    tar.addfile(_header(name, True, folder=True))
            content = changed.get(file.path)
            data = file.source.read_bytes() if content is None else content
            header = _header(f"./{file.path}", file.executable)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return packed.getvalue()


def _header(name: str, executable: bool, *, folder: bool = False) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
    header.mode = 0o755 if executable else 0o644
    return header
