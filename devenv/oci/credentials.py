"""Which credentials a client has for a registry. The order is the reference's:

`DEVCONTAINERS_OCI_AUTH`, the client's Docker configuration (helpers, then entries), `GITHUB_TOKEN` for ghcr.io.
Nothing is ever written, no secret stands in an argument list, a log or a message, and a helper that fails or hangs
is a note: the registry is then asked as if it were not there.

The Docker SDK reads the configuration. Its own way of calling helpers has no time limit and searches the PATH of this
process instead of the client's, so they are called here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from devenv.engine.endpoint import config_dir
from devenv.oci.address import is_hub

HELPER_LIMIT = 20.0  # seconds: long enough to unlock a keyring by hand
_TOKEN_USER = "<token>"
_HUB_KEY = "https://index.docker.io/v1/"
Note = Callable[[str], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Credential:
    kind: str  # for people: where it comes from
    username: str
    secret: str = dataclasses.field(repr=False)
    identity: bool = False  # the secret is a refresh token, to be exchanged, never sent as a password


def find(registry: str, env: Mapping[str, str], note: Note) -> Credential | None:
    """The first credential of the order above; None means anonymous. Blocks while a helper runs."""
    return _from_variable(registry, env) or _from_docker(registry, env, note) or _from_github(registry, env)


def _from_variable(registry: str, env: Mapping[str, str]) -> Credential | None:
    for entry in env.get("DEVCONTAINERS_OCI_AUTH", "").split(","):
        parts = entry.split("|", 2)
        if len(parts) == 3 and parts[0].strip() == registry:
            return Credential("DEVCONTAINERS_OCI_AUTH", parts[1], parts[2].strip())
    return None


def _from_github(registry: str, env: Mapping[str, str]) -> Credential | None:
    token = env.get("GITHUB_TOKEN")
    if registry != "ghcr.io" or not token or env.get("GITHUB_HOST", "github.com") not in ("", "github.com"):
        return None
    return Credential("GITHUB_TOKEN", "USERNAME", token)


def _from_docker(registry: str, env: Mapping[str, str], note: Note) -> Credential | None:
    folder = config_dir(env)
    file = folder / "config.json" if folder is not None else None
    if file is None or not file.is_file():
        return None
    try:
        config: Any = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("not an object")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not JSON"
        note(f"{file} cannot be read ({reason}): registries are asked without its credentials")
        return None
    helper = _helper(config, registry)
    if helper:
        with contextlib.suppress(_HelperFailed):
            return _ask(helper, _HUB_KEY if is_hub(registry) else registry, env, note)
    return _entry(config, registry, str(file), note)


def _helper(config: Mapping[str, Any], registry: str) -> str:
    named = config.get("credHelpers")
    keys = (_HUB_KEY, "docker.io") if is_hub(registry) else (registry,)
    found = next((named[key] for key in keys if key in named), None) if isinstance(named, dict) else None
    helper = found or config.get("credsStore") or ""
    return helper if isinstance(helper, str) else ""


def _entry(config: Mapping[str, Any], registry: str, file: str, note: Note) -> Credential | None:
    import docker.auth  # 150 ms; only for clients that have such an entry

    entries = config.get("auths")
    if not isinstance(entries, dict):
        return None
    wanted = docker.auth.resolve_index_name("docker.io" if is_hub(registry) else registry)
    for key, raw in sorted(entries.items(), key=lambda item: item[0] != registry):
        if docker.auth.resolve_index_name(docker.auth.convert_to_hostname(key)) != wanted:
            continue
        try:
            found = docker.auth.AuthConfig.parse_auth({key: raw}, raise_on_error=True).get(key) or {}
        except Exception:  # the SDK lets through whatever a broken entry causes: Base64, UTF-8, a missing colon
            note(f"the entry for {key} in {file} cannot be read: {registry} is asked without it")
            continue
        if token := found.get("IdentityToken"):
            return Credential("identity token of the Docker configuration", _TOKEN_USER, str(token), identity=True)
        if found.get("username"):
            return Credential("Docker configuration", str(found["username"]), str(found.get("password") or ""))
    return None


class _HelperFailed(Exception):
    """There is no answer from the helper; the note has been given."""


def _ask(helper: str, server: str, env: Mapping[str, str], note: Note) -> Credential | None:
    """Runs `docker-credential-HELPER get` as the client would; the server's name and the secret go through pipes."""
    import docker.credentials.errors as sdk

    name = f"docker-credential-{helper}"
    program = shutil.which(name, path=env.get("PATH", os.defpath)) if helper == pathlib.Path(helper).name else None
    if program is None:
        note(f"the credential helper {name} is not on PATH: {server} is asked without it")
        raise _HelperFailed
    try:
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(env),
            timeout=HELPER_LIMIT,
            check=False,
        )
        if done.returncode:
            failed = subprocess.CalledProcessError(done.returncode, [program, "get"], output=done.stdout)
            if isinstance(sdk.process_store_error(failed, name), sdk.CredentialsNotFound):
                raise _HelperFailed
            raise OSError(f"exit code {done.returncode}")
        found: Any = json.loads(done.stdout)
        user, secret = str(found["Username"]), str(found["Secret"])
    except subprocess.TimeoutExpired:
        note(f"the credential helper {name} did not answer within {HELPER_LIMIT:g} s: {server} is asked without it")
        raise _HelperFailed from None
    except OSError as error:
        note(f"the credential helper {name} failed ({error.strerror or error}): {server} is asked without it")
        raise _HelperFailed from None
    except (ValueError, KeyError, TypeError):
        note(f"the credential helper {name} answered with something unusable: {server} is asked without it")
        raise _HelperFailed from None
    if not secret:
        raise _HelperFailed
    return Credential(f"credential helper {name}", user, secret, identity=user == _TOKEN_USER)
