"""Default mount and folder; the strings are those that @devcontainers/cli 0.89.0 prints, except for the last rows."""

from __future__ import annotations

import pytest

from devcontainer import mounts, workspace

CASES = [
    pytest.param(
        "/p/plain", None, "type=bind,source=/p/plain,target=/workspaces/plain", "/workspaces/plain", id="plain"
    ),
    pytest.param(
        "/p/a,b", None, 'type=bind,"source=/p/a,b","target=/workspaces/a,b"', "/workspaces/a,b", id="a comma is quoted"
    ),
    pytest.param(
        "/p/repo/sub",
        "/p/repo",
        "type=bind,source=/p/repo,target=/workspaces/repo",
        "/workspaces/repo/sub",
        id="the repository is mounted, the folder lies in it",
    ),
    pytest.param(
        "/p/repo/",
        "/p/repo",
        "type=bind,source=/p/repo,target=/workspaces/repo",
        "/workspaces/repo",
        id="the root itself",
    ),
    pytest.param(
        "/p/x",
        "/elsewhere",
        "type=bind,source=/p/x,target=/workspaces/x",
        "/workspaces/x",
        id="a root that holds it not",
    ),
    pytest.param(
        "/p/repo2",
        "/p/repo",
        "type=bind,source=/p/repo2,target=/workspaces/repo2",
        "/workspaces/repo2",
        id="a longer name",
    ),
    pytest.param("//p/./x/../y", None, "type=bind,source=/p/y,target=/workspaces/y", "/workspaces/y", id="made plain"),
]


@pytest.mark.parametrize(("folder", "root", "mount", "inside"), CASES)
def test_default(folder: str, root: str | None, mount: str, inside: str) -> None:
    assert workspace.default(folder, root) == (mount, inside, ())


def test_a_quote_in_the_path_survives_the_engine() -> None:
    """The reference writes it bare, and the engine refuses that."""
    mount = mounts.parse(workspace.default('/p/"q"').mount)
    assert (mount.source, mount.target) == ('/p/"q"', '/workspaces/"q"')


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(ValueError, match="absolute"):
        workspace.default("p")


@pytest.mark.parametrize(
    ("mount", "folder", "expected"),
    [
        pytest.param(None, None, ("type=bind,source=/p,target=/workspaces/p", "/workspaces/p"), id="neither"),
        pytest.param("", "/w", ("", "/w"), id="an empty mount mounts nothing"),
        pytest.param("type=volume,source=v,target=/w", "/w", ("type=volume,source=v,target=/w", "/w"), id="both"),
        pytest.param(None, "/w", ("type=bind,source=/p,target=/workspaces/p", "/w"), id="the folder alone"),
    ],
)
def test_resolve(mount: str | None, folder: str | None, expected: tuple[str, str]) -> None:
    assert workspace.resolve(mount, folder, "/p") == (*expected, ())


@pytest.mark.parametrize(
    ("root", "git_dir", "mount", "extra"),
    [
        pytest.param(
            "/s/w1",
            "../main/.git/worktrees/w1",
            "type=bind,source=/s/w1,target=/workspaces/w1",
            "type=bind,source=/s/main/.git,target=/workspaces/main/.git",
            id="beside the repository",
        ),
        pytest.param(
            "/s/deep/er/w2",
            "../../../main/.git/worktrees/w2",
            "type=bind,source=/s/deep/er/w2,target=/workspaces/deep/er/w2",
            "type=bind,source=/s/main/.git,target=/workspaces/main/.git",
            id="deeper: the layout is that of the host",
        ),
        pytest.param(
            "/s/w3",
            "/home/me/main/.git/worktrees/w3",
            "type=bind,source=/s/w3,target=/workspaces/w3",
            "type=bind,source=/home/me/main/.git,target=/home/me/main/.git",
            id="absolute: where it says",
        ),
    ],
)
def test_a_worktree_brings_its_repositorys_folder(root: str, git_dir: str, mount: str, extra: str) -> None:
    place = workspace.resolve(None, None, f"{root}/sub", root, git_dir)
    assert place.mount == mount and place.extra == (extra,)
    assert place.folder == mount.rpartition("target=")[2] + "/sub"
    assert workspace.resolve("type=bind,source=/a,target=/b", "/b", root, root, git_dir).extra == ()
