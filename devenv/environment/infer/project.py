"""What a repository says about itself: which Python, which packages, how they are installed.

Pure over a listing of relative POSIX paths and a reader. Files are the repository's own text: whatever cannot be read
as expected says nothing. No file is executed or imported.
"""

from __future__ import annotations

import configparser
import dataclasses
import re
import shlex
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

Reader = Callable[[str], str | None]
"""The text of a file of the listing, None if it cannot be read."""

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.\d+)?", re.ASCII)
_CONDA_NAME = re.compile(r"^\s*-\s*(?:[\w.-]+::)?([A-Za-z0-9_.-]+)\s*([=<>!~][^\s#]*)?")
_SETUP_PYTHON = re.compile(r"python_requires\s*=\s*[\"']([^\"']+)[\"']")
_QUOTED = re.compile(r"[\"']([A-Za-z0-9][^\"'\n]*)[\"']")
_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)[ =]+(\S+)")

_DEV_WORDS = ("dev", "test", "tests", "notebook", "notebooks", "jupyter")


@dataclasses.dataclass(frozen=True, slots=True)
class PythonWish:
    """`pinned` "3.11", or a range in `accepts`; `source` is the file that says so."""

    source: str
    pinned: str = ""
    accepts: SpecifierSet = dataclasses.field(default_factory=SpecifierSet)

    def allows(self, version: str) -> bool:
        """Whether an image with this Python ("3.11") will do; its newest patch release is meant."""
        if self.pinned:
            return version == self.pinned
        return self.accepts.contains(f"{version}.99")


@dataclasses.dataclass(frozen=True, slots=True)
class Project:
    """`packages` maps normalised names to the versions that are asked for. `install` is a shell line, "" for none."""

    python: PythonWish | None
    packages: Mapping[str, SpecifierSet]
    install: str
    install_reason: str
    conda_file: str = ""
    mentions_cuda: str = ""  # the file that does
    notebooks: bool = False
    dockerfile: bool = False


def read_project(listing: Iterable[str], read: Reader) -> Project:
    """Look at a repository. `listing` may hold anything; only well-known names and Python files are opened."""
    files = sorted(set(listing))
    present = set(files)
    texts = {name: text for name in _wanted(files) if (text := read(name)) is not None}
    packages: dict[str, SpecifierSet] = {}
    requirement_files = [name for name in texts if _is_requirements(name)]
    for name in requirement_files:
        _collect(packages, _requirements(name, texts[name], read, set()))
    pyproject = _toml(texts.get("pyproject.toml", ""))
    pipfile = _toml(texts.get("Pipfile", ""))
    conda = next((name for name in ("environment.yml", "environment.yaml") if name in texts), "")
    _collect(packages, _pyproject_requirements(pyproject))
    _collect(packages, _table_requirements(pipfile.get("packages"), pipfile.get("dev-packages")))
    _collect(packages, _conda_requirements(texts.get(conda, "")))
    _collect(packages, _setup_requirements(texts))
    install, reason = _install(present, requirement_files, pyproject, conda)
    return Project(
        python=_python(texts, pyproject, pipfile, conda),
        packages=packages,
        install=install,
        install_reason=reason,
        conda_file=conda,
        mentions_cuda=_cuda_mention(files, texts, read),
        notebooks=any(name.endswith(".ipynb") for name in files),
        dockerfile="Dockerfile" in present,
    )


def _wanted(files: list[str]) -> Iterator[str]:
    known = {
        ".python-version",
        ".tool-versions",
        "runtime.txt",
        "Pipfile",
        "environment.yml",
        "environment.yaml",
        "pyproject.toml",
        "setup.cfg",
        "setup.py",
    }
    return (name for name in files if name in known or _is_requirements(name))


def _is_requirements(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    if not file.endswith((".txt", ".in")) or folder not in ("", "requirements"):
        return False
    if folder == "requirements":
        return file.endswith(".txt")
    return file.endswith(".txt") and "requirements" in file


# Python ------------------------------------------------------------------------------------------------------------


def _python(
    texts: Mapping[str, str], pyproject: Mapping[str, Any], pipfile: Mapping[str, Any], conda: str
) -> PythonWish | None:
    """The most particular statement wins: a file that pins one version, then a lock tool's, then a range."""
    for name in (".python-version", "runtime.txt"):
        for line in texts.get(name, "").splitlines():
            wish = _pin(name, line.strip().removeprefix("python-").removeprefix("cpython-"))
            if wish:
                return wish
    tool = re.search(r"^python[ \t]+(\S+)", texts.get(".tool-versions", ""), re.MULTILINE)
    requires = _table(pipfile, "requires")
    wishes = (
        _pin(".tool-versions", tool[1]) if tool else None,
        _pin("Pipfile", str(requires.get("python_full_version") or requires.get("python_version") or "")),
        _conda_python(conda, texts.get(conda, "")),
        _range("pyproject.toml", _table(pyproject, "project").get("requires-python")),
        _range("pyproject.toml", _caret(_table(pyproject, "tool", "poetry", "dependencies").get("python"))),
        _range("setup.cfg", _cfg(texts.get("setup.cfg", ""), "options", "python_requires")),
        _range("setup.py", (_SETUP_PYTHON.findall(texts.get("setup.py", "")) or [None])[0]),
    )
    return next((wish for wish in wishes if wish is not None), None)


def _pin(source: str, text: str) -> PythonWish | None:
    match = _VERSION.match(text)
    return PythonWish(source, f"{match[1]}.{match[2]}") if match else None


def _range(source: str, text: Any) -> PythonWish | None:
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        accepts = SpecifierSet(text)
    except InvalidSpecifier:
        return _pin(source, text.strip())
    only = [spec for spec in accepts if spec.operator in ("==", "===")]
    return _pin(source, only[0].version) if only else PythonWish(source, accepts=accepts)


def _conda_python(source: str, text: str) -> PythonWish | None:
    for name, constraint in _conda_lines(text):
        if name == "python" and constraint:
            if constraint.startswith(("=", "==")):
                return _pin(source, constraint.lstrip("="))
            return _range(source, constraint)
    return None


def _caret(text: Any) -> str | None:
    """Poetry's `^3.9` means: from 3.9, below 4; its `~3.9`: from 3.9, below 3.10."""
    if not isinstance(text, str):
        return None
    tilde = re.match(r"~\s*(\d+)\.(\d+)((?:\.\d+)*)\s*$", text)
    if tilde:
        return f">={tilde[1]}.{tilde[2]}{tilde[3]},<{tilde[1]}.{int(tilde[2]) + 1}"
    match = re.match(r"\^\s*(\d+)((?:\.\d+)*)\s*$", text)
    return f">={match[1]}{match[2]},<{int(match[1]) + 1}" if match else text


# Packages ----------------------------------------------------------------------------------------------------------


def normal(name: str) -> str:
    """PyPI's normal form of a name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _collect(packages: dict[str, SpecifierSet], found: Iterable[tuple[str, SpecifierSet]]) -> None:
    for name, versions in found:
        packages[normal(name)] = packages.get(normal(name), SpecifierSet()) & versions


def _parsed(line: str) -> Iterator[tuple[str, SpecifierSet]]:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return
    yield requirement.name, requirement.specifier


def _requirements(name: str, text: str, read: Reader, seen: set[str]) -> Iterator[tuple[str, SpecifierSet]]:
    """The packages of a requirements file and of those that it includes."""
    seen.add(name)
    for raw in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        include = _INCLUDE.match(line)
        if include:
            other = _beside(name, include[1])
            inner = read(other) if other and other not in seen else None
            if inner is not None:
                yield from _requirements(other, inner, read, seen)
        elif line and not line.startswith("-"):
            yield from _parsed(re.split(r"\s--", line)[0].strip())


def _beside(name: str, include: str) -> str:
    """The path of an included file from the root of the repository, "" if it would leave it."""
    parts: list[str] = name.split("/")[:-1]
    for part in include.split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "" if include.startswith("/") else "/".join(parts)


def _pyproject_requirements(pyproject: Mapping[str, Any]) -> Iterator[tuple[str, SpecifierSet]]:
    project = _table(pyproject, "project")
    groups = [project.get("dependencies"), *_table(project, "optional-dependencies").values()]
    groups += _table(pyproject, "dependency-groups").values()
    for group in groups:
        for line in group if isinstance(group, list) else ():
            if isinstance(line, str):
                yield from _parsed(line)
    poetry = _table(pyproject, "tool", "poetry")
    tables = [poetry.get("dependencies"), poetry.get("dev-dependencies")]
    tables += [_table(_table(poetry, "group"), name).get("dependencies") for name in _table(poetry, "group")]
    yield from _table_requirements(*tables)


def _table_requirements(*tables: Any) -> Iterator[tuple[str, SpecifierSet]]:
    """Names with versions as values, as Poetry and Pipenv write them."""
    for table in tables:
        for name, value in table.items() if isinstance(table, dict) else ():
            version = value.get("version") if isinstance(value, dict) else value
            constraint = _caret(version) or ""
            try:
                yield name, SpecifierSet("" if constraint == "*" else constraint)
            except InvalidSpecifier:
                pinned = re.fullmatch(r"\d+(\.\d+)*", constraint)
                yield name, SpecifierSet(f"=={constraint}" if pinned else "")


def _conda_requirements(text: str) -> Iterator[tuple[str, SpecifierSet]]:
    for name, constraint in _conda_lines(text):
        version = re.match(r"=+\s*(\d+(?:\.\d+)*)", constraint)
        try:
            yield name, SpecifierSet(f"=={version[1]}.*" if version else constraint)
        except InvalidSpecifier:
            yield name, SpecifierSet()


def _conda_lines(text: str) -> Iterator[tuple[str, str]]:
    """The list entries of an environment file, `pip:` entries too. A reading by lines: it never fails."""
    inside = False
    for line in text.splitlines():
        if re.match(r"\S", line) and not line.startswith("-"):
            inside = line.startswith("dependencies:")
        match = _CONDA_NAME.match(line) if inside else None
        if match and not line.rstrip().endswith(":"):
            yield normal(match[1]), match[2] or ""


def _setup_requirements(texts: Mapping[str, str]) -> Iterator[tuple[str, SpecifierSet]]:
    for line in (_cfg(texts.get("setup.cfg", ""), "options", "install_requires") or "").splitlines():
        yield from _parsed(line.strip()) if line.strip() else ()
    declared = re.search(r"install_requires\s*=\s*\[(.*?)\]", texts.get("setup.py", ""), re.DOTALL)
    for text in _QUOTED.findall(declared[1]) if declared else ():
        yield from _parsed(text)


# Installation ------------------------------------------------------------------------------------------------------


def _install(
    present: set[str], requirement_files: list[str], pyproject: Mapping[str, Any], conda: str
) -> tuple[str, str]:
    """The line that installs the project's packages for the remote user, and what it goes by."""
    if conda:
        return "", ""  # the image is built from it
    pip = "python3 -m pip install --user"
    wanted = [name for name in requirement_files if _for_development(name)]
    parts = [f"-r {shlex.quote(name)}" for name in wanted]
    sources = list(wanted)
    if "project" in pyproject or "poetry" in _table(pyproject, "tool"):
        extras = [name for name in _table(pyproject, "project", "optional-dependencies") if name in _DEV_WORDS]
        parts.append("-e " + (shlex.quote(f".[{','.join(extras)}]") if extras else "."))
        sources.append("pyproject.toml")
    elif "setup.py" in present or ("setup.cfg" in present and not wanted):
        parts.append("-e .")
        sources.append("setup.py" if "setup.py" in present else "setup.cfg")
    if parts:
        return f"{pip} {' '.join(parts)}", ", ".join(sources)
    if "Pipfile" in present:
        return f"{pip} pipenv && PIP_USER=1 python3 -m pipenv install --system --dev", "Pipfile"
    return "", ""


def _for_development(name: str) -> bool:
    """Not those for other purposes, such as documentation; of a folder the usual names."""
    stem = name.rpartition("/")[2].removesuffix(".txt")
    words = set(re.split(r"[-_.]", stem)) - {"requirements", ""}
    return not words or bool(words & {*_DEV_WORDS, "base", "main", "common", "train", "gpu"})


def _cuda_mention(files: list[str], texts: Mapping[str, str], read: Reader) -> str:
    for name, text in texts.items():
        if re.search(r"cuda|\bcu\d{2,3}\b", text):
            return name
    for name in [name for name in files if name.endswith(".py") and name.count("/") <= 2][:60]:
        text = texts.get(name) or read(name) or ""
        if re.search(r"\.cuda\(|[\"']cuda(:\d)?[\"']", text):
            return name
    return ""


# Formats -----------------------------------------------------------------------------------------------------------


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _table(value: Any, *path: str) -> dict[str, Any]:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _cfg(text: str, section: str, key: str) -> str | None:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return parser.get(section, key, fallback=None)
