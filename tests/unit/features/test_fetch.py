"""Resolving: where features come from, what is asked of whom, and what happens when nobody answers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from devcontainer.features import reference, review
from devcontainer.features.lockfile import Locked, Lockfile
from devenv.errors import (
    ConfigError,
    DigestMismatch,
    FeatureError,
    RegistryDenied,
    RegistryFailed,
    RegistryMissing,
    RegistryTimeout,
    RegistryUnreachable,
)
from devenv.features.cache import FRESH
from devenv.features.fetch import Resolved
from devenv.features.materialise import content_digest, materialise
from devenv.features.sources import Sources
from devenv.features.vendor import VendorFolder
from devenv.features.vendoring import vendor
from devenv.oci.digests import sha256
from devenv.oci.network import Limits
from tests.kit.scripted_server import Reply, Request, certificate, scripted
from tests.unit.features.conftest import SCRIPT, Shelf, World, feature, tar


def ids(resolved: Resolved) -> list[str]:
    return [step.manifest.id for step in resolved.steps]


async def test_nothing_to_do(world: World) -> None:
    found = await world.resolve({})
    assert (found.steps, found.notes, found.lockfile) == ((), (), Lockfile())


class TestLocal:
    async def test_a_folder_beside_the_configuration(self, world: World, tmp_path: Path) -> None:
        world.local("a")
        found = await world.resolve({"./a": {}})
        assert ids(found) == ["a"]
        assert found.lockfile == Lockfile()
        assert materialise(found.steps[0], tmp_path / "out") == ["devcontainer-feature.json", "install.sh"]
        assert (tmp_path / "out" / "install.sh").read_bytes() == SCRIPT
        assert content_digest(found.steps[0]).startswith("sha256:")
        assert not world.cache.folder.exists()

    async def test_it_may_depend_on_another(self, world: World) -> None:
        world.local("a", dependsOn={"./b": {}})
        world.local("b")
        assert ids(await world.resolve({"./a": {}})) == ["b", "a"]

    async def test_a_folder_that_is_not_there_names_the_nearest(self, world: World) -> None:
        world.local("my-feature")
        with pytest.raises(FeatureError) as caught:
            await world.resolve({"./my-featur": {}})
        assert caught.value.hint == "did you mean ./my-feature?"

    async def test_outside_of_the_project(self, world: World) -> None:
        with pytest.raises(ConfigError, match="outside the folder"):
            await world.resolve({"../elsewhere": {}})

    async def test_a_link_to_the_outside(self, world: World, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (world.configuration.parent / "a").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(FeatureError, match="outside the folder"):
            await world.resolve({"./a": {}})

    @pytest.mark.parametrize(
        ("files", "words"),
        [
            pytest.param({"install.sh": "#!/bin/sh\n"}, "has no devcontainer-feature.json", id="no manifest"),
            pytest.param({"devcontainer-feature.json": b"\xff"}, "UTF-8", id="no text"),
        ],
    )
    async def test_no_feature(self, world: World, files: dict[str, Any], words: str) -> None:
        world.local("a", files=files)
        with pytest.raises(FeatureError, match=words):
            await world.resolve({"./a": {}})

    async def test_wrong_manifests_are_shown_together(self, world: World) -> None:
        world.local("a", files={"devcontainer-feature.json": "{"})
        world.local("b", options=3)
        with pytest.raises(ConfigError) as caught:
            await world.resolve({"./a": {}, "./b": {}})
        assert len(caught.value.problems) == 2
        assert {Path(problem.file).parent.name for problem in caught.value.problems} == {"a", "b"}

    async def test_no_script(self, world: World, tmp_path: Path) -> None:
        world.local("a", files={"devcontainer-feature.json": feature("a")})
        found = await world.resolve({"./a": {}})
        with pytest.raises(FeatureError) as caught:
            materialise(found.steps[0], tmp_path / "out")
        assert "'./a' has no install.sh" in caught.value.message
        assert str(world.configuration.parent / "a") in caught.value.message
        assert not list(tmp_path.glob("*out*"))


class TestRegistry:
    async def test_the_annotation_saves_the_archive_until_it_is_needed(self, world: World, shelf: Shelf) -> None:
        made = shelf.put("a", "1")
        found = await world.resolve([shelf.name("a")], files=False)
        assert (ids(found), found.steps[0].digest, found.steps[0].source) == (["a"], made.digest, "")
        assert shelf.asked() == ["a/manifests/1"]
        assert found.steps[0].oci_manifest == made.value

    async def test_without_an_annotation_the_archive_says_it(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1", annotated=False)
        assert ids(await world.resolve([shelf.name("a")])) == ["a"]
        assert len(shelf.asked()) == 2

    async def test_files_and_lockfile(self, world: World, shelf: Shelf, tmp_path: Path) -> None:
        made = shelf.put("a", "1", metadata=feature("a", "1.2.3"))
        found = await world.resolve([shelf.name("a")])
        materialise(found.steps[0], tmp_path / "out")
        assert (tmp_path / "out" / "install.sh").stat().st_mode & 0o777 == 0o755
        resource = f"{shelf.host}/f/a"
        assert found.lockfile.features == {
            f"{resource}:1": Locked("1.2.3", f"{resource}@{made.digest}", made.digest),
        }
        assert content_digest(found.steps[0]) == made.digest
        assert world.progress.ended == {"features": True}

    async def test_what_others_need_comes_along(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1", metadata=feature("a", dependsOn={shelf.name("b"): {}}, installsAfter=[f"{shelf.host}/f/c"]))
        shelf.put("b", "1")
        found = await world.resolve([shelf.name("a")])
        assert ids(found) == ["b", "a"]
        assert not any("c/" in path for path in shelf.asked()), "installsAfter asks nobody"

    async def test_additional_ones_are_not_locked(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1")
        shelf.put("b", "1")
        found = await world.resolve([shelf.name("a")], additional={shelf.name("b"): {}})
        assert ids(found) == ["a", "b"]
        assert list(found.lockfile.features) == [shelf.name("a")]

    async def test_an_image_is_no_feature(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1", config="application/vnd.oci.image.config.v1+json")
        with pytest.raises(FeatureError, match="no dev container feature"):
            await world.resolve([shelf.name("a")])

    async def test_no_manifest_in_the_archive(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1", annotated=False, files={"install.sh": SCRIPT})
        with pytest.raises(FeatureError, match=r"has no devcontainer-feature\.json in its archive"):
            await world.resolve([shelf.name("a")])

    async def test_no_script_in_the_archive(self, world: World, shelf: Shelf, tmp_path: Path) -> None:
        made = shelf.put("a", "1", files={"devcontainer-feature.json": b"{}"})
        found = await world.resolve([shelf.name("a")])
        with pytest.raises(FeatureError, match=made.digest):
            materialise(found.steps[0], tmp_path / "out")

    async def test_all_that_fail_are_shown(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1")
        with pytest.raises(RegistryMissing) as caught:
            await world.resolve([shelf.name("a"), shelf.name("b"), shelf.name("a", ":2")])
        assert shelf.name("b") in caught.value.message and shelf.name("a", ":2") in caught.value.message
        assert world.progress.ended == {"features": False}

    async def test_who_asks_for_a_missing_one_is_named(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1", metadata=feature("a", dependsOn={shelf.name("gone"): {}}))
        with pytest.raises(RegistryMissing, match=f"needed by {shelf.name('a')}"):
            await world.resolve([shelf.name("a")])

    async def test_a_cycle(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1", metadata=feature("a", dependsOn={shelf.name("b"): {}}))
        shelf.put("b", "1", metadata=feature("b", dependsOn={shelf.name("a"): {}}))
        with pytest.raises(ConfigError, match="wait for each other"):
            await world.resolve([shelf.name("a")])

    @pytest.mark.parametrize("name", ["UPPER CASE", "owner/repo/old", "ghcr.io/x/y:", "http://x/y"])
    async def test_a_name_that_is_none(self, world: World, name: str) -> None:
        with pytest.raises(ConfigError):
            await world.resolve({name: {}})

    async def test_a_name_among_dependencies_that_is_none(self, world: World) -> None:
        world.local("a", dependsOn={"nonsense!": {}})
        with pytest.raises(ConfigError, match="nonsense!"):
            await world.resolve({"./a": {}})

    async def test_remarks(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1", metadata=feature("a", deprecated=True))
        shelf.put("old", "1", metadata=feature("old", legacyIds=["old"], currentId="new"))
        found = await world.resolve([shelf.name("a"), shelf.name("old")], override_order=[f"{shelf.host}/f/none"])
        said = [issue.message for issue in review.issues(found.resolution, found.steps)]
        assert len(said) == 3 and found.notes == ()
        assert any("is called 'new' now" in message for message in said)


class TestCache:
    async def test_a_fresh_answer_asks_nobody(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1")
        await world.resolve([shelf.name("a")])
        before = len(shelf.asked())
        world.clock += FRESH - 1
        found = await world.resolve([shelf.name("a")])
        assert (len(shelf.asked()), found.notes) == (before, ())

    async def test_an_old_answer_asks_for_the_tag_only(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1")
        await world.resolve([shelf.name("a")])
        before = len(shelf.asked())
        world.clock += FRESH + 1
        await world.resolve([shelf.name("a")])
        assert shelf.asked()[before:] == ["a/manifests/1"]

    async def test_a_tag_that_moved_is_noticed(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1")
        await world.resolve([shelf.name("a")])
        newer = shelf.put("a", "1", metadata=feature("a", "1.0.1"))
        assert (await world.resolve([shelf.name("a")])).steps[0].digest != newer.digest
        assert (await world.resolve([shelf.name("a")], fresh=0)).steps[0].digest == newer.digest

    @pytest.mark.parametrize("reply", [Reply(500), Reply(429), Reply(hang=True)])
    async def test_without_an_answer_the_old_one_serves(self, world: World, shelf: Shelf, reply: Reply) -> None:
        made = shelf.put("a", "1")
        await world.resolve([shelf.name("a")])
        shelf.server.on("GET", "/v2/f/a/manifests/1", reply)
        world.clock += 3 * 86400
        found = await world.resolve([shelf.name("a")])
        assert found.steps[0].digest == made.digest
        assert len(found.notes) == 1 and "3 days ago" in found.notes[0]

    async def test_a_registry_that_hangs_is_waited_for_once(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1", metadata=feature("a", dependsOn={shelf.name("b"): {}}))
        shelf.put("b", "1")
        await world.resolve([shelf.name("a")])
        for name in ("a", "b"):
            shelf.server.on("GET", f"/v2/f/{name}/manifests/1", Reply(hang=True))
        before = len(shelf.asked())
        found = await world.resolve([shelf.name("a")], fresh=0)
        assert shelf.asked()[before:] == ["a/manifests/1"]
        assert (ids(found), len(found.notes)) == (["b", "a"], 2)

    @pytest.mark.parametrize(("reply", "kind"), [(Reply(404), RegistryMissing), (Reply(403), RegistryDenied)])
    async def test_a_refusal_is_an_answer(
        self, world: World, shelf: Shelf, reply: Reply, kind: type[Exception]
    ) -> None:
        shelf.put("a", "1")
        await world.resolve([shelf.name("a")])
        shelf.server.on("GET", "/v2/f/a/manifests/1", reply)
        world.clock += FRESH + 1
        with pytest.raises(kind):
            await world.resolve([shelf.name("a")])

    @pytest.mark.parametrize(("reply", "kind"), [(Reply(500), RegistryFailed), (Reply(hang=True), RegistryTimeout)])
    async def test_without_anything_known(
        self, world: World, shelf: Shelf, reply: Reply, kind: type[Exception]
    ) -> None:
        shelf.server.on("GET", "/v2/f/a/manifests/1", reply)
        with pytest.raises(kind) as caught:
            await world.resolve([shelf.name("a")])
        assert shelf.name("a") in str(caught.value)

    async def test_an_archive_that_rotted_is_fetched_again(self, world: World, shelf: Shelf, tmp_path: Path) -> None:
        shelf.put("a", "1")
        first = await world.resolve([shelf.name("a")])
        Path(first.steps[0].source).write_bytes(b"rotten")
        found = await world.resolve([shelf.name("a")])
        materialise(found.steps[0], tmp_path / "out")

    async def test_files_that_went_away_meanwhile(self, world: World, shelf: Shelf, tmp_path: Path) -> None:
        shelf.put("a", "1")
        found = await world.resolve([shelf.name("a")])
        Path(found.steps[0].source).unlink()
        with pytest.raises(FeatureError, match="are gone"):
            materialise(found.steps[0], tmp_path / "out")

    async def test_an_archive_that_is_not_the_manifests(self, world: World, shelf: Shelf) -> None:
        made = shelf.put("a", "1")
        shelf.server.on("GET", f"/v2/f/a/blobs/{made.layers[0].digest}", Reply(200, b"x" * made.layers[0].size))
        with pytest.raises(DigestMismatch):
            await world.resolve([shelf.name("a")])
        assert not list((world.cache.folder / "incoming").iterdir())


class TestLockfile:
    async def test_a_pin_is_not_asked_for_as_a_tag(self, world: World, shelf: Shelf) -> None:
        first = shelf.put("a", "1")
        locked = (await world.resolve([shelf.name("a")])).lockfile
        shelf.put("a", "1", metadata=feature("a", "1.0.1"))
        world.clock += FRESH + 1
        before = len(shelf.asked())
        found = await world.resolve([shelf.name("a")], lockfile=locked)
        assert found.steps[0].digest == first.digest
        assert len(shelf.asked()) == before

    async def test_on_another_machine(self, world: World, shelf: Shelf, tmp_path: Path) -> None:
        first = shelf.put("a", "1")
        locked = (await world.resolve([shelf.name("a")])).lockfile
        shelf.put("a", "1", metadata=feature("a", "1.0.1"))
        other = World(tmp_path / "other")
        assert (await other.resolve([shelf.name("a")], lockfile=locked)).steps[0].digest == first.digest

    async def test_a_digest_that_disagrees(self, world: World, shelf: Shelf) -> None:
        made = shelf.put("a", "1")
        written = f"{shelf.host}/f/a@{made.digest}"
        locked = Lockfile({written: Locked("1", f"{shelf.host}/f/a@{sha256(b'')}", sha256(b""))})
        with pytest.raises(DigestMismatch, match="lockfile"):
            await world.resolve([written], lockfile=locked)

    async def test_a_pin_that_is_gone(self, world: World, shelf: Shelf) -> None:
        shelf.put("a", "1")
        written = shelf.name("a")
        locked = Lockfile({written: Locked("1", f"{shelf.host}/f/a@{sha256(b'')}", sha256(b""))})
        with pytest.raises(RegistryMissing) as caught:
            await world.resolve([written], lockfile=locked)
        assert "lockfile" in caught.value.hint


class TestVendored:
    async def test_no_network_at_all(self, world: World, shelf: Shelf, tmp_path: Path) -> None:
        shelf.put("a", "1", metadata=feature("a", dependsOn={shelf.name("b"): {}}))
        shelf.put("b", "1")
        names = [shelf.name("a")]
        first = await world.resolve(names)
        written = vendor(first, world.workspace, world.cache)
        assert {path.name for path in written} >= {"index.json", "oci-layout"}
        asked = len(shelf.asked())
        other = World(tmp_path / "other")
        (world.workspace / ".devcontainer" / "vendor").rename(other.workspace / ".devcontainer" / "vendor")
        found = await other.resolve(names)
        assert found.lockfile == first.lockfile
        assert [materialise(step, tmp_path / step.consecutive_id) for step in found.steps]
        assert len(shelf.asked()) == asked
        assert not other.cache.folder.exists()

    async def test_a_copy_that_was_changed_is_not_used(self, world: World, shelf: Shelf, tmp_path: Path) -> None:
        made = shelf.put("a", "1")
        vendor(await world.resolve([shelf.name("a")]), world.workspace, world.cache)
        blob = made.layers[0].digest.partition(":")[2]
        (world.workspace / ".devcontainer" / "vendor" / "blobs" / "sha256" / blob).write_bytes(b"changed")
        other = World(tmp_path / "other")
        (world.workspace / ".devcontainer" / "vendor").rename(other.workspace / ".devcontainer" / "vendor")
        found = await other.resolve([shelf.name("a")])
        materialise(found.steps[0], tmp_path / "out")
        assert Path(found.steps[0].source).is_relative_to(other.cache.folder)

    async def test_a_digest_and_an_archive(self, world: World, shelf: Shelf, tmp_path: Path) -> None:
        made = shelf.put("a", "1")
        authority, context = certificate(tmp_path)
        with scripted(context) as server:
            server.on("GET", "/devcontainer-feature-t.tgz", Reply(200, ARCHIVE))
            world.env = {"SSL_CERT_FILE": str(authority)}
            names = [f"{shelf.host}/f/a@{made.digest}", f"{server.url}/devcontainer-feature-t.tgz"]
            first = await world.resolve(names)
        vendor(first, world.workspace, world.cache)
        other = World(tmp_path / "other")
        (world.workspace / ".devcontainer" / "vendor").rename(other.workspace / ".devcontainer" / "vendor")
        assert (await other.resolve(names)).lockfile == first.lockfile


ARCHIVE = tar({"./devcontainer-feature.json": json.dumps(feature("t")).encode(), "./install.sh": SCRIPT}, "w:gz")


class TestArchives:
    PATH = "/x/devcontainer-feature-t.tgz"

    async def test_from_a_web_address(self, world: World, tmp_path: Path) -> None:
        authority, context = certificate(tmp_path)
        world.env = {"SSL_CERT_FILE": str(authority), "GITHUB_TOKEN": "hidden"}
        with scripted(context) as server:
            server.on("GET", self.PATH, Reply(200, ARCHIVE))
            url = f"{server.url}{self.PATH}"
            found = await world.resolve([url])
            assert found.lockfile.features == {url: Locked("1.0.0", url, sha256(ARCHIVE))}
            materialise(found.steps[0], tmp_path / "out")
            await world.resolve([url])
            assert [one.authorization for one in server.requests] == [""], "fresh, and no token for other hosts"
            world.clock += FRESH + 1
            await world.resolve([url], lockfile=found.lockfile)
            assert len(server.requests) == 1
            server.on("GET", self.PATH, Reply(503))
            assert "is used" in (await world.resolve([url])).notes[0]

    async def test_another_file_than_locked(self, world: World, tmp_path: Path) -> None:
        authority, context = certificate(tmp_path)
        world.env = {"SSL_CERT_FILE": str(authority)}
        with scripted(context) as server:
            server.on("GET", self.PATH, Reply(200, ARCHIVE))
            url = f"{server.url}{self.PATH}"
            locked = Lockfile({url: Locked("1", url, sha256(b"other"))})
            with pytest.raises(DigestMismatch, match="lockfile"):
                await world.resolve([url], lockfile=locked)

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (Reply(404), RegistryMissing),
            (Reply(500), RegistryFailed),
            (Reply(200, b"<html>"), FeatureError),
            (Reply(200, tar({"install.sh": SCRIPT})), FeatureError),
            (Reply(200, tar({"devcontainer-feature.json": b"\xff"})), FeatureError),
        ],
    )
    async def test_none(self, world: World, tmp_path: Path, reply: Reply, kind: type[Exception]) -> None:
        authority, context = certificate(tmp_path)
        world.env = {"SSL_CERT_FILE": str(authority)}
        with scripted(context) as server:
            server.on("GET", self.PATH, reply)
            with pytest.raises(kind):
                await world.resolve([f"{server.url}{self.PATH}"])

    @pytest.mark.parametrize(
        ("host", "sent"),
        [("github.com", True), ("api.github.com", True), ("github.com.example", False), ("raw.github.com", False)],
    )
    def test_the_token_goes_to_github_only(self, world: World, tmp_path: Path, host: str, sent: bool) -> None:
        seen_headers: list[dict[str, str]] = []

        class Recorder:
            def download(self, url: str, target: Path, *, headers: dict[str, str], seen: object) -> str:
                target.write_bytes(ARCHIVE)
                seen_headers.append(headers)
                return sha256(ARCHIVE)

        sources = Sources(
            configuration=world.configuration,
            workspace=world.workspace,
            cache=world.cache,
            vendor=VendorFolder(tmp_path / "vendor"),
            connect=lambda: Recorder(),  # type: ignore[arg-type,return-value]
            env={"GITHUB_TOKEN": "t"},
            lockfile=None,
            fresh=FRESH,
            note=lambda text: None,
        )
        sources.manifest(reference.parse(f"https://{host}/o/r/devcontainer-feature-t.tgz"))
        assert seen_headers == [{"Authorization": "Bearer t"} if sent else {}]


async def test_a_cache_that_cannot_be_written(world: World, shelf: Shelf) -> None:
    shelf.put("a", "1")
    world.cache.folder.write_text("in the way")
    with pytest.raises(FeatureError) as caught:
        await world.resolve([shelf.name("a")])
    assert shelf.name("a") in caught.value.message and str(world.cache.folder) in caught.value.message


async def test_a_build_folder_that_cannot_be_written(world: World, tmp_path: Path) -> None:
    world.local("a")
    found = await world.resolve({"./a": {}})
    with pytest.raises(FeatureError, match="cannot be laid out"):
        materialise(found.steps[0], tmp_path / "none" / "out")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    with pytest.raises(FeatureError, match="cannot be laid out"):
        materialise(found.steps[0], tmp_path / "there")
    assert not list(tmp_path.glob(".there*"))


async def test_nobody_there_names_the_feature(world: World) -> None:
    with pytest.raises((RegistryUnreachable, RegistryTimeout)) as caught:
        await world.resolve(["registry.invalid/f/a:1"])
    assert "registry.invalid/f/a:1" in caught.value.message
    assert "? `devenv vendor` keeps a copy" in caught.value.hint


async def test_cancelled_while_a_registry_hangs(world: World, shelf: Shelf) -> None:
    asked = threading.Event()

    def hang(request: Request) -> Reply:
        asked.set()
        return Reply(hang=True)

    shelf.server.on("GET", "/v2/f/a/manifests/1", hang)
    task = asyncio.create_task(world.resolve([shelf.name("a")], limits=Limits(read=60, connect=60)))
    await asyncio.to_thread(asked.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.progress.ended == {"features": False}


def test_a_filled_cache_loads_no_network_library() -> None:
    """A warm resolution must not pay for requests: checked where nothing else has imported it."""
    code = (
        "import sys; import devenv.features.fetch, devenv.features.materialise; "
        "print([m for m in ('requests', 'urllib3', 'docker') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class TestPlaces:
    """Where the configuration names what fails."""

    @staticmethod
    def lines(written: str) -> tuple[int, int]:
        return {"": (2, 3), "./a": (5, 7)}.get(written, (0, 0))

    async def test_a_folder_that_is_not_there(self, world: World) -> None:
        with pytest.raises(FeatureError) as caught:
            await world.resolve({"./a": {}}, lines=self.lines)
        assert caught.value.message.startswith(f"{world.configuration}:5:7: the feature './a' does not exist")

    async def test_what_a_feature_needs_is_told_with_the_line_of_that_one(self, world: World) -> None:
        world.local("a", dependsOn={"./b": {}})
        with pytest.raises(FeatureError) as caught:
            await world.resolve({"./a": {}}, lines=self.lines)
        assert caught.value.message.startswith(f"{world.configuration}:5:7: the feature './b'")
        assert caught.value.message.endswith("(needed by ./a)")

    async def test_a_name_that_leads_outside(self, world: World) -> None:
        with pytest.raises(ConfigError) as caught:
            await world.resolve({"../elsewhere": {}}, lines=lambda written: (9, 1))
        assert (caught.value.problems[0].line, caught.value.problems[0].key) == (9, "features")

    async def test_a_cycle(self, world: World) -> None:
        world.local("a", dependsOn={"./b": {}})
        world.local("b", dependsOn={"./a": {}})
        with pytest.raises(ConfigError) as caught:
            await world.resolve({"./a": {}}, lines=self.lines)
        assert caught.value.problems[0].line == 2

    async def test_a_manifest_in_the_project_is_corrected_not_replaced(self, world: World) -> None:
        world.local("a", entrypoint=5)
        with pytest.raises(ConfigError) as caught:
            await world.resolve({"./a": {}})
        assert caught.value.hint == "" and "entrypoint" in str(caught.value)

    async def test_a_registry(self, world: World, shelf: Shelf) -> None:
        name = shelf.name("gone")
        with pytest.raises(RegistryMissing) as caught:
            await world.resolve([name], lines=lambda written: (3, 4) if written == name else (0, 0))
        assert caught.value.message.startswith(f"{world.configuration}:3:4: {name}: ")
