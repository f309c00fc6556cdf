"""What a command line must keep to beyond the shape of its flags: formats of values, and flags that exclude others."""

from devenv.dropin.flags import Line, Misuse


def check(line: Line) -> None:
    """Raises Misuse with all that is wrong."""
    problems = [*_formats(line), *_registries(line), *_combinations(line)]
    if problems:
        raise Misuse(line.command, problems)


def _formats(line: Line) -> "list[str]":
    problems = []
    for label in line.texts("id-label"):
        if "=" not in label[1:-1]:
            problems.append(f"--id-label {label!r} is not NAME=VALUE")
    for variable in line.texts("remote-env"):
        if "=" not in variable[1:]:
            problems.append(f"--remote-env {variable!r} is not NAME=VALUE")
    for mount in line.texts("mount"):
        if not _is_mount(mount):
            problems.append(
                f"--mount {mount!r} is not type=bind|volume,source=SOURCE,target=TARGET[,external=true|false]"
            )
    return problems


def _is_mount(text: str) -> bool:
    fields = text.split(",")
    if len(fields) not in (3, 4) or fields[0] not in ("type=bind", "type=volume"):
        return False
    if not fields[1].startswith("source=") or not fields[2].startswith("target="):
        return False
    if len(fields[1]) == 7 or len(fields[2]) == 7:
        return False
    return len(fields) == 3 or fields[3] in ("external=true", "external=false")


def _registries(line: Line) -> "list[str]":
    pairs = line.texts("allow-cross-origin-auth-host")
    problems = []
    if pairs and not line.on("oci-auth-hardening"):
        problems.append("--allow-cross-origin-auth-host needs --oci-auth-hardening beside it")
    for pair in pairs:
        hosts = pair.split("=")
        if len(hosts) != 2 or not all(_is_host(host) for host in hosts):
            problems.append(f"--allow-cross-origin-auth-host {pair!r} is not REGISTRY-HOST=AUTH-HOST")
    return problems


def _is_host(text: str) -> bool:
    """A host, with a port or without."""
    name, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        name, port = text, ""
    if (colon and not (port.isdecimal() and int(port) < 65536)) or not name:
        return False
    return not any(char in "/\\?#@ \t\r\n<>^|%" for char in text)


_EXCLUDING = (
    ("no-lockfile", "frozen-lockfile"),
    ("no-lockfile", "experimental-frozen-lockfile"),
    ("no-lockfile", "experimental-lockfile"),
    ("skip-scenarios", "global-scenarios-only"),
)


def _combinations(line: Line) -> "list[str]":
    problems = [
        f"--{one} and --{other} exclude each other"
        for one, other in _EXCLUDING
        if line.values.get(one) and line.values.get(other)
    ]
    if line.command == "features test" and line.on("global-scenarios-only") and line.texts("features"):
        problems.append("--global-scenarios-only and --features exclude each other")
    if line.command == "upgrade":
        feature, version = line.text("feature"), line.text("target-version")
        if bool(feature) != bool(version):
            problems.append("--feature and --target-version belong together")
        numbers = version.split(".")
        if version and not (len(numbers) <= 3 and all(part.isascii() and part.isdecimal() for part in numbers)):
            problems.append(f"--target-version {version!r} is not X, X.Y or X.Y.Z")
    return problems
