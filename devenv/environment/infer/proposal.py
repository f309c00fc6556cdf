"""What `devenv init` writes: a dev container for a repository that has none, from what the repository shows.

Pure over a listing and a reader. The choices:
- one Dockerfile with a user of its own, because images of this field run as root and would leave root's files in
  the project; its ids follow the host user's (`updateRemoteUserUID`);
- `python:X.Y` as base: official, built for every version, with compilers and Git; PyTorch projects get
  `pytorch/pytorch`, whose layers are shared by all such projects and spare a download of gigabytes at each creation;
  conda projects get conda, with the environment made in the image;
- packages go to the user's own site folder, which needs no root and leaves the image's packages visible.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from packaging.specifiers import SpecifierSet

from devenv.environment.infer.project import Project, Reader, read_project

CONFIG_PATH = ".devcontainer/devcontainer.json"
DOCKERFILE_PATH = ".devcontainer/Dockerfile"
USER = "dev"
SHARED_MEMORY = "4g"

DEFAULT_PYTHON = "3.11"
PYTHONS = ("3.11", "3.12", "3.10", "3.13", "3.9", "3.8", "3.14", "3.7")
"""In the order of preference when a range allows several: first those with wheels of nearly everything."""

CONDA_IMAGE = "condaforge/miniforge3:latest"
CUDA_IMAGE = "nvidia/cuda:12.6.3-cudnn-runtime-ubuntu22.04"
CUDA_IMAGE_PYTHON = "3.10"


_SHOW_USER_SITE = (
    "# Some bases have their Python in a virtual environment, which hides what a user installs: this shows it.",
    "RUN cfg=$(python3 -c 'import sys; print(sys.prefix)')/pyvenv.cfg \\",
    '    && if [ -f "$cfg" ]; then sed -i \'/^include-system-site-packages/s/false/true/\' "$cfg"; fi',
    "",
)


class TorchImage(NamedTuple):
    torch: str
    tag: str
    python: str


TORCH_IMAGES = (
    TorchImage("2.9.1", "2.9.1-cuda12.6-cudnn9-runtime", "3.11"),
    TorchImage("2.8.0", "2.8.0-cuda12.6-cudnn9-runtime", "3.11"),
    TorchImage("2.7.1", "2.7.1-cuda12.6-cudnn9-runtime", "3.11"),
    TorchImage("2.6.0", "2.6.0-cuda12.4-cudnn9-runtime", "3.11"),
    TorchImage("2.5.1", "2.5.1-cuda12.4-cudnn9-runtime", "3.11"),
    TorchImage("2.4.1", "2.4.1-cuda12.1-cudnn9-runtime", "3.11"),
    TorchImage("2.3.1", "2.3.1-cuda12.1-cudnn8-runtime", "3.10"),
    TorchImage("2.2.2", "2.2.2-cuda12.1-cudnn8-runtime", "3.10"),
    TorchImage("2.1.2", "2.1.2-cuda12.1-cudnn8-runtime", "3.10"),
    TorchImage("2.0.1", "2.0.1-cuda11.7-cudnn8-runtime", "3.10"),
    TorchImage("1.13.1", "1.13.1-cuda11.6-cudnn8-runtime", "3.10"),
)
"""Published images of `pytorch/pytorch`, newest first."""

GPU_PACKAGES = ("torch", "pytorch", "tensorflow", "tensorflow-gpu", "jax", "jaxlib", "cupy", "pycuda", "rapids")


@dataclasses.dataclass(frozen=True, slots=True)
class Proposal:
    """Files by path relative to the repository, and one sentence for each choice."""

    files: dict[str, str]
    reasons: list[str]


class _Base(NamedTuple):
    image: str
    reason: str
    conda: bool = False
    needs_python: bool = False


def propose(listing: Iterable[str], read: Reader, name: str = "") -> Proposal:
    """A dev container for a repository. `name` is what people call it, usually the folder's name.

    The result is text only; whether files are in the way is the caller's question.
    """
    project = read_project(listing, read)
    base = _base(project)
    torch = bool(project.packages.keys() & {"torch", "pytorch"})
    gpu = _gpu_reason(project)
    reasons = [base.reason]
    reasons.append(f"The container works as the user {USER!r}, so that the files it makes belong to you.")
    options: list[tuple[str, str, Any]] = [("", "name", name)] if name else []
    build: dict[str, Any] = {"dockerfile": "Dockerfile"}
    if base.conda:
        build["context"] = ".."
    options.append((base.reason, "build", build))
    options.append(("Files made in the container belong to you: this user takes your ids.", "remoteUser", USER))
    if gpu:
        reasons.append(f"A GPU is used if there is one: {gpu}.")
        options.append((f"Used if there is one ({gpu}).", "hostRequirements", {"gpu": "optional"}))
    if torch:
        reason = f"Shared memory of {SHARED_MEMORY}: DataLoader workers fail with the engine's 64 MB."
        reasons.append(reason)
        options.append((reason, "runArgs", [f"--shm-size={SHARED_MEMORY}"]))
    options.append(("Ends at once, and collects what worker processes leave behind.", "init", True))
    if project.install:
        reasons.append(f"Packages are installed after creation from {project.install_reason}.")
        options.append(
            (f"From {project.install_reason}; runs once per container.", "postCreateCommand", project.install)
        )
    elif base.conda:
        reasons.append(f"The conda environment is made in the image from {project.conda_file}.")
    extensions = ["ms-python.python", *(["ms-toolsai.jupyter"] if project.notebooks else [])]
    options.append(("For those who work with VS Code.", "customizations", {"vscode": {"extensions": extensions}}))
    if project.dockerfile:
        reasons.append(
            "The Dockerfile of the repository is not used; name it in build.dockerfile if it is for development."
        )
    files = {CONFIG_PATH: _jsonc(options), DOCKERFILE_PATH: _dockerfile(base, project)}
    return Proposal(files, reasons)


def _base(project: Project) -> _Base:
    if project.conda_file:
        return _Base(CONDA_IMAGE, f"conda, because the repository has {project.conda_file}.", conda=True)
    wish, packages = project.python, project.packages
    wanted = packages.get("torch", packages.get("pytorch"))
    if wanted is not None:
        image = next((i for i in TORCH_IMAGES if _accepts(wanted, i.torch)), None)
        if image and (wish is None or wish.allows(image.python)):
            reason = (
                f"PyTorch {image.torch} with CUDA and Python {image.python}, because the project uses torch{wanted}."
            )
            return _Base(f"pytorch/pytorch:{image.tag}", reason)
    cupy = any(name == "cupy" or name.startswith("cupy-cuda") for name in packages)
    if cupy and (wish is None or wish.allows(CUDA_IMAGE_PYTHON)):
        reason = f"CUDA's libraries with Python {CUDA_IMAGE_PYTHON}, because the project uses CuPy."
        return _Base(CUDA_IMAGE, reason, needs_python=True)
    if wish is None:
        return _Base(f"python:{DEFAULT_PYTHON}", f"Python {DEFAULT_PYTHON}: the repository names no version.")
    version = wish.pinned or next((v for v in PYTHONS if wish.allows(v)), DEFAULT_PYTHON)
    said = f"{wish.pinned}" if wish.pinned else str(wish.accepts)
    reason = f"Python {version}, because {wish.source} says {said}."
    if wanted is not None:
        reason += f" torch{wanted} comes from the package index: no PyTorch image has both."
    return _Base(f"python:{version}", reason)


def _accepts(wanted: SpecifierSet, version: str) -> bool:
    """Whether an image's release will do; a build tag such as `==2.1.2+cu118` is not asked of it."""
    plain = SpecifierSet(",".join(f"{s.operator}{s.version.partition('+')[0]}" for s in wanted))
    return plain.contains(version)


def _gpu_reason(project: Project) -> str:
    for name in project.packages:
        if name in GPU_PACKAGES or name.startswith(("cupy-", "nvidia-")):
            return f"the project uses {name}"
    return f"{project.mentions_cuda} mentions CUDA" if project.mentions_cuda else ""


def _dockerfile(base: _Base, project: Project) -> str:
    lines = [f"# {base.reason}", f"FROM {base.image}", ""]
    tools = ["git", *(["python3", "python3-pip", "python3-venv"] if base.needs_python else [])]
    missing = " && ".join(f"command -v {tool} >/dev/null" for tool in ("git", *(["pip3"] if base.needs_python else [])))
    lines += [
        "# Fetched only if the base does not have it, so that this also builds without a network.",
        f"RUN {{ {missing}; }} || {{ apt-get update \\",
        f"    && apt-get install -y --no-install-recommends {' '.join(tools)} \\",
        "    && rm -rf /var/lib/apt/lists/*; }",
        "",
    ]
    path = f"/home/{USER}/.local/bin:$PATH"
    if base.conda:
        lines += [
            f"COPY {json.dumps([project.conda_file, '/tmp/environment.yml'])}",
            "RUN conda env create --yes --name work --file /tmp/environment.yml \\",
            "    && conda clean --all --yes && rm /tmp/environment.yml",
            "",
        ]
        path = f"/opt/conda/envs/work/bin:{path}"
    lines += [
        "# Ubuntu's images have a user with the id that most people have; it would be in the way of ours.",
        "RUN if id ubuntu >/dev/null 2>&1; then userdel --remove ubuntu; fi \\",
        f"    && useradd --create-home --shell /bin/bash {USER}",
        "",
        "# A login shell starts with a PATH of its own: it gets the image's back.",
        f"ENV PATH={path}",
        'RUN echo "export PATH=\\"$PATH\\"" > /etc/profile.d/image-path.sh',
        "",
        *(_SHOW_USER_SITE if base.image.startswith("pytorch/") else ()),
        "# User installs are wanted here, also where the distribution manages the interpreter.",
        "ENV PIP_BREAK_SYSTEM_PACKAGES=1",
        "",
        f"USER {USER}",
    ]
    return "\n".join(lines) + "\n"


def _jsonc(options: Sequence[tuple[str, str, Any]]) -> str:
    """One object, each key below a comment that says why it is there."""
    blocks: list[str] = []
    for comment, key, value in options:
        text = json.dumps(value, ensure_ascii=False)
        if len(text) > 100 and not isinstance(value, str):
            text = json.dumps(value, ensure_ascii=False, indent=4).replace("\n", "\n    ")
        head = f"    // {' '.join(comment.split())}\n" if comment else ""
        blocks.append(f"{head}    {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"
