"""A command line that the drop-in refuses is refused by the reference too, and the other way round."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from devenv.dropin import checks, flags
from tests.kit import reference

pytestmark = pytest.mark.node

WRONG = [
    "",
    "nonsense",
    "-h",
    "features nonsense",
    "templates nonsense",
    "up --no-such",
    "up -x",
    "up positional",
    "up --workspace-folder -",
    "up --no-prebuild",
    "up --prebuild maybe",
    "up --log-level warn",
    "up --log-level=",
    "up --terminal-rows 3",
    "up --id-label a",
    "up --id-label a=",
    "up --id-label =b",
    "up --id-label=",
    "up --remote-env A",
    "up --mount x",
    "up --mount type=bind,source=/a,target=/b,readonly",
    "up --mount type=tmpfs,source=a,target=/b",
    "up --no-lockfile --frozen-lockfile",
    "up --no-lockfile --experimental-lockfile",
    "up --allow-cross-origin-auth-host a=b",
    "up --oci-auth-hardening --allow-cross-origin-auth-host a",
    "up --oci-auth-hardening --allow-cross-origin-auth-host",
    "up --oci-auth-hardening --allow-cross-origin-auth-host a/x=b",
    "up --workspace-folder a --workspace-folder b",
    "set-up",
    "set-up --container-id x --workspace-folder y",
    "build a b",
    "build --override-config x",
    "build --terminal-rows 3",
    "run-user-commands --skip-post-create",
    "read-configuration --include-configuration",
    "outdated --output-format xml",
    "upgrade -f x",
    "upgrade -f x -v 1.2.3.4",
    "exec --no-such ls",
    "exec --skip-post-create ls",
    "exec --remote-env A env",
    "exec --log-level nope env",
    "features test x y",
    "features test -iimg",
    "features test --global-scenarios-only -f a",
    "features test --global-scenarios-only --skip-scenarios",
    "features package",
    "features publish x",
    "features info tags",
    "features info nope x",
    "features info tags x y",
    "features resolve-dependencies x",
    "features generate-docs",
    "templates apply",
    "templates publish x",
    "templates metadata",
    "templates generate-docs -n x",
]


@pytest.mark.parametrize("line", WRONG)
def test_refused_by_both(tmp_path: Path, line: str) -> None:
    theirs = reference.run(*shlex.split(line), cwd=tmp_path)
    assert theirs.returncode == 1
    if line:
        with pytest.raises(flags.Misuse):
            checks.check(flags.parse(shlex.split(line)))
