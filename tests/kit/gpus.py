"""Stand-in GPUs: what a machine with cards shows to an engine, without a card. Nothing here computes anything.

Device nodes are /dev/null by another name; `nvidia-smi`, NVIDIA's runtime and its hook are scripts (tests/rig/gpus)
that print and note. The engine is a real one of the test's own, so that no other test sees a GPU.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.kit.engine import PrivateEngine, private_engine
from tests.kit.rig import ROOT

PROGRAMS = ROOT / "tests" / "rig" / "gpus"
RENDER_GROUP = 4109  # no image has it: only its number can be given to a container


def smi_program() -> Path:
    return PROGRAMS / "nvidia-smi"


def cdi_spec(
    kind: str, devices: Mapping[str, Sequence[str]], *, program: Path | None = None, host_path: str = "/dev/null"
) -> dict[str, Any]:
    """A CDI spec as vendors write it: device nodes by name, an `nvidia-smi`, a variable that says which were given."""
    edits: dict[str, Any] = {"env": ["STAND_IN=yes"]}
    if program is not None:
        options = ["ro", "nosuid", "nodev", "bind"]
        edits["mounts"] = [{"hostPath": str(program), "containerPath": "/bin/nvidia-smi", "options": options}]
    return {
        "cdiVersion": "0.6.0",
        "kind": kind,
        "containerEdits": edits,
        "devices": [
            {
                "name": name,
                "containerEdits": {
                    "env": [f"STAND_IN_{name.replace(':', '_').replace('-', '_').upper()}=given"],
                    "deviceNodes": [{"path": node, "hostPath": host_path} for node in nodes],
                },
            }
            for name, nodes in devices.items()
        ],
    }


NVIDIA_DEVICES = {
    "0": ["/dev/nvidia0"],
    "1": ["/dev/nvidia1"],
    "all": ["/dev/nvidia0", "/dev/nvidia1"],
}


class GpuEngine:
    """An engine with CDI switched on (`cdi`: its folder of specs) and NVIDIA's runtime and hook as stand-ins."""

    def __init__(self, engine: PrivateEngine, folder: Path) -> None:
        self.engine = engine
        self.docker = engine.docker
        self.host = engine.host
        self.programs = folder / "bin"
        self.cdi = folder / "cdi"

    def write_spec(self, name: str, spec: Mapping[str, Any]) -> Path:
        file = self.cdi / name
        file.write_text(json.dumps(spec))
        return file

    def take_record(self) -> list[str]:
        """What runtime and hook noted since the last time: `hook NVIDIA_VISIBLE_DEVICES=all`."""
        record = self.programs / "record"
        lines = record.read_text().splitlines() if record.exists() else []
        record.unlink(missing_ok=True)
        return lines


# /dev as the engine sees it, with an AMD card's nodes.
_AMD_NODES = f"""
mkdir -p "{{folder}}/dev-upper" "{{folder}}/dev-work"
mount -t overlay overlay -o "lowerdir=/dev,upperdir={{folder}}/dev-upper,workdir={{folder}}/dev-work" /dev
mknod -m 660 /dev/kfd c 1 3
mkdir -p /dev/dri
mknod -m 660 /dev/dri/renderD128 c 1 3
mknod -m 660 /dev/dri/renderD129 c 1 3
chgrp {RENDER_GROUP} /dev/kfd /dev/dri/renderD128 /dev/dri/renderD129
"""


@contextlib.contextmanager
def gpu_engine(images: tuple[str, ...], *, amd_nodes: bool = False) -> Iterator[GpuEngine]:
    """A started engine with copies of `images`. It has no network: containers need `--network none`. Needs root."""
    folder = Path(tempfile.mkdtemp(prefix="rig-gpus-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        shutil.copytree(PROGRAMS, folder / "bin")
        (folder / "cdi").mkdir()
        (folder / "daemon.json").write_text('{"features": {"cdi": true}}')
        options = (
            f"--config-file={folder / 'daemon.json'}",
            f"--cdi-spec-dir={folder / 'cdi'}",
            f"--add-runtime=nvidia={folder / 'bin' / 'nvidia-container-runtime'}",
        )
        with private_engine(
            live_restore=False,
            images=images,
            options=options,
            path=str(folder / "bin"),
            prelude=_AMD_NODES.format(folder=folder) if amd_nodes else "",
        ) as engine:
            yield GpuEngine(engine, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
