"""What `devenv init` proposes, from repositories of many kinds."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcontainer import model
from devenv.environment.infer.proposal import CONFIG_PATH, DOCKERFILE_PATH, TORCH_IMAGES, Proposal, propose


def proposal(files: Mapping[str, str], name: str = "digits") -> Proposal:
    return propose(files, files.get, name)


def base_of(result: Proposal) -> str:
    match = re.search(r"^FROM (\S+)$", result.files[DOCKERFILE_PATH], re.MULTILINE)
    assert match
    return match[1]


def config_of(result: Proposal) -> model.DevContainer:
    config = model.load(result.files[CONFIG_PATH], CONFIG_PATH)
    assert config.problems == ()
    return config


NEWEST = f"pytorch/pytorch:{TORCH_IMAGES[0].tag}"

BASES = [
    pytest.param({}, "python:3.11", "names no version", id="an empty repository"),
    pytest.param({".python-version": "3.9.7\n"}, "python:3.9", ".python-version says 3.9", id=".python-version"),
    pytest.param({".python-version": "miniconda3-4.7\n3.10\n"}, "python:3.10", ".python-version", id="several lines"),
    pytest.param({"runtime.txt": "python-3.8.1"}, "python:3.8", "runtime.txt", id="runtime.txt"),
    pytest.param({".tool-versions": "node 20\npython 3.12.1\n"}, "python:3.12", ".tool-versions", id=".tool-versions"),
    pytest.param({"Pipfile": '[requires]\npython_version = "3.8"'}, "python:3.8", "Pipfile", id="Pipfile"),
    pytest.param(
        {"Pipfile": '[requires]\npython_full_version = "3.8.2"'}, "python:3.8", "Pipfile", id="Pipfile, in full"
    ),
    pytest.param({"pyproject.toml": '[project]\nrequires-python = ">=3.8"'}, "python:3.11", ">=3.8", id="a range"),
    pytest.param(
        {"pyproject.toml": '[project]\nrequires-python = ">=3.12"'}, "python:3.12", ">=3.12", id="a newer range"
    ),
    pytest.param(
        {"pyproject.toml": '[project]\nrequires-python = "<3.11,>=3.8"'}, "python:3.10", "<3.11", id="an older one"
    ),
    pytest.param(
        {"pyproject.toml": '[project]\nrequires-python = ">3.11"'}, "python:3.11", ">3.11", id="3.11.1 is above 3.11"
    ),
    pytest.param(
        {"pyproject.toml": '[project]\nrequires-python = "==3.9.*"'}, "python:3.9", "says 3.9", id="one version"
    ),
    pytest.param({"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.12"'}, "python:3.12", "<4", id="Poetry"),
    pytest.param(
        {"pyproject.toml": '[tool.poetry.dependencies]\npython = "~3.9"'}, "python:3.9", "says", id="Poetry's tilde"
    ),
    pytest.param({"pyproject.toml": "not toml ["}, "python:3.11", "names no version", id="a broken file says nothing"),
    pytest.param({"setup.cfg": "[options]\npython_requires = >=3.7,<3.9"}, "python:3.8", "setup.cfg", id="setup.cfg"),
    pytest.param({"setup.py": 'setup(python_requires=">=3.13")'}, "python:3.13", "setup.py", id="setup.py"),
    pytest.param(
        {".python-version": "3.9", "pyproject.toml": '[project]\nrequires-python = ">=3.12"'},
        "python:3.9",
        "",
        id="a pin wins",
    ),
    pytest.param({"requirements.txt": "numpy\n"}, "python:3.11", "", id="packages without CUDA"),
    pytest.param({"requirements.txt": "torch\n"}, NEWEST, "uses torch", id="torch"),
    pytest.param({"requirements.txt": "Torch >= 2.0 # x\n"}, NEWEST, "torch>=2.0", id="torch with a range"),
    pytest.param(
        {"requirements.txt": "torch==2.1.2\n"}, "pytorch/pytorch:2.1.2-cuda12.1-cudnn8-runtime", "", id="a pin"
    ),
    pytest.param(
        {"requirements.txt": "torch==2.1.2+cu118\n"},
        "pytorch/pytorch:2.1.2-cuda12.1-cudnn8-runtime",
        "",
        id="a build tag",
    ),
    pytest.param({"requirements.txt": "torch<2.1\n"}, "pytorch/pytorch:2.0.1-cuda11.7-cudnn8-runtime", "", id="below"),
    pytest.param(
        {"requirements.txt": "torch==1.4.0\n"}, "python:3.11", "names no version", id="a release without image"
    ),
    pytest.param(
        {"requirements.txt": "torch\n", ".python-version": "3.12"},
        "python:3.12",
        "no PyTorch image has both",
        id="both",
    ),
    pytest.param({"requirements.txt": "-r base.txt", "base.txt": "torch"}, NEWEST, "", id="an included file"),
    pytest.param({"requirements.txt": "-r requirements.txt\ntorch"}, NEWEST, "", id="a file that includes itself"),
    pytest.param({"requirements/base.txt": "torch", "requirements/docs.txt": "x"}, NEWEST, "", id="a folder"),
    pytest.param({"pyproject.toml": '[project]\ndependencies = ["torch>=2"]'}, NEWEST, "", id="pyproject"),
    pytest.param({"pyproject.toml": '[dependency-groups]\ntrain = ["torch"]'}, NEWEST, "", id="a dependency group"),
    pytest.param({"pyproject.toml": '[tool.poetry.dependencies]\ntorch = "^2.1"'}, NEWEST, "<3", id="Poetry's torch"),
    pytest.param(
        {"pyproject.toml": '[tool.poetry.group.x.dependencies]\ntorch = "2.6.0"'},
        f"pytorch/pytorch:{TORCH_IMAGES[3].tag}",
        "",
        id="its groups",
    ),
    pytest.param({"Pipfile": '[packages]\ntorch = {version = "*"}'}, NEWEST, "", id="Pipfile's torch"),
    pytest.param({"setup.py": "setup(install_requires=['torch>=2', 'x'])"}, NEWEST, "", id="setup.py's torch"),
    pytest.param({"setup.cfg": "[options]\ninstall_requires =\n  torch\n  x\n"}, NEWEST, "", id="setup.cfg's torch"),
    pytest.param(
        {"requirements.txt": "cupy-cuda12x"}, "nvidia/cuda:12.6.3-cudnn-runtime-ubuntu22.04", "CuPy", id="CuPy"
    ),
    pytest.param(
        {"requirements.txt": "cupy", ".python-version": "3.12"}, "python:3.12", "", id="CuPy for another Python"
    ),
    pytest.param({"requirements.txt": "tensorflow"}, "python:3.11", "", id="TensorFlow brings its own CUDA"),
    pytest.param(
        {"environment.yml": "dependencies:\n  - python=3.9\n"}, "condaforge/miniforge3:latest", "conda", id="conda"
    ),
]


@pytest.mark.parametrize(("files", "base", "words"), BASES)
def test_base(files: dict[str, str], base: str, words: str) -> None:
    result = proposal(files)
    assert base_of(result) == base
    assert words in result.reasons[0]
    config_of(result)


INSTALLS = [
    pytest.param({}, None, id="nothing to install"),
    pytest.param({"requirements.txt": ""}, "-r requirements.txt", id="requirements"),
    pytest.param(
        {"requirements.txt": "", "requirements-dev.txt": "", "requirements-docs.txt": ""},
        "-r requirements-dev.txt -r requirements.txt",
        id="those for development, not those for the manual",
    ),
    pytest.param({"requirements/base.txt": "", "requirements/ci.txt": ""}, "-r requirements/base.txt", id="a folder"),
    pytest.param({"my requirements.txt": ""}, None, id="an odd name is not taken"),
    pytest.param({"pyproject.toml": '[project]\nname = "x"'}, "-e .", id="a project"),
    pytest.param(
        {"pyproject.toml": '[project]\nname = "x"\n[project.optional-dependencies]\ndev = []\ndocs = []\n'},
        "-e '.[dev]'",
        id="with the extras that developers use",
    ),
    pytest.param({"pyproject.toml": "[tool.ruff]\n"}, None, id="settings only"),
    pytest.param({"pyproject.toml": "[tool.poetry]\nname='x'"}, "-e .", id="Poetry"),
    pytest.param({"setup.py": ""}, "-e .", id="setup.py"),
    pytest.param({"requirements.txt": "", "setup.py": ""}, "-r requirements.txt -e .", id="both"),
    pytest.param({"environment.yml": "", "requirements.txt": ""}, None, id="conda has it in the image"),
]


@pytest.mark.parametrize(("files", "arguments"), INSTALLS)
def test_install(files: dict[str, str], arguments: str | None) -> None:
    command = config_of(proposal(files)).raw.get("postCreateCommand")
    assert command == (None if arguments is None else f"python3 -m pip install --user {arguments}")


def test_pipfile_is_installed_by_pipenv() -> None:
    command = config_of(proposal({"Pipfile": ""})).raw["postCreateCommand"]
    assert isinstance(command, str)
    assert "pipenv install --system --dev" in command


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param({"requirements.txt": "numpy"}, None, id="no"),
        pytest.param({"requirements.txt": "torch"}, "torch", id="torch"),
        pytest.param({"requirements.txt": "tensorflow==2.15"}, "tensorflow", id="TensorFlow"),
        pytest.param({"requirements.txt": "jax[cuda12]"}, "jax", id="JAX"),
        pytest.param({"environment.yml": "dependencies:\n - pytorch\n"}, "pytorch", id="conda's name of torch"),
        pytest.param(
            {"environment.yml": "dependencies:\n - pip:\n   - cupy-cuda11x\n"}, "cupy-cuda11x", id="conda's pip"
        ),
        pytest.param(
            {"requirements.txt": "--extra-index-url https://x/cu118\nx"}, "requirements.txt mentions", id="an index"
        ),
        pytest.param({"src/train.py": "model.cuda()"}, "src/train.py mentions CUDA", id="code"),
        pytest.param({"train.py": 'device = "cuda:0"'}, "train.py mentions CUDA", id="a device"),
        pytest.param({"train.py": "barracuda()"}, None, id="a word that only contains it"),
    ],
)
def test_gpu(files: dict[str, str], reason: str | None) -> None:
    result = proposal(files)
    config = config_of(result)
    assert config.raw.get("hostRequirements") == (None if reason is None else {"gpu": "optional"})
    said = [sentence for sentence in result.reasons if sentence.startswith("A GPU")]
    assert len(said) == (0 if reason is None else 1)
    if reason:
        assert reason in said[0]


def test_torch_gets_shared_memory() -> None:
    assert config_of(proposal({"requirements.txt": "torch"})).run_args == ("--shm-size=4g",)
    assert config_of(proposal({"requirements.txt": "numpy"})).run_args == ()


def test_the_user_is_not_root() -> None:
    result = proposal({})
    assert config_of(result).raw["remoteUser"] == "dev"
    assert result.files[DOCKERFILE_PATH].rstrip().endswith("USER dev")


def test_a_conda_environment_is_made_in_the_image() -> None:
    result = proposal({"environment.yaml": "dependencies:\n - python=3.9\n"})
    assert config_of(result).build == model.Build("Dockerfile", "..")
    assert 'COPY ["environment.yaml", "/tmp/environment.yml"]' in result.files[DOCKERFILE_PATH]


def test_every_choice_is_explained_in_the_file() -> None:
    text = proposal({"requirements.txt": "torch", "a.ipynb": ""}).files[CONFIG_PATH]
    keys = re.findall(r'^    "(\w+)":', text, re.MULTILINE)
    explained = re.findall(r'^    // .+\n    "(\w+)":', text, re.MULTILINE)
    assert explained == [key for key in keys if key != "name"]
    assert "ms-toolsai.jupyter" in text


def test_a_dockerfile_of_the_repository_is_mentioned_not_used() -> None:
    assert any("Dockerfile of the repository" in reason for reason in proposal({"Dockerfile": ""}).reasons)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../x"])
def test_an_include_never_leaves_the_repository(name: str) -> None:
    asked: list[str] = []

    def read(path: str) -> str | None:
        asked.append(path)
        return f"-r {name}\n" if path == "requirements.txt" else None

    propose(["requirements.txt"], read)
    assert set(asked) == {"requirements.txt"}


def test_a_file_that_cannot_be_read_says_nothing() -> None:
    assert base_of(propose([".python-version", "requirements.txt"], lambda _: None)) == "python:3.11"


NAMES = st.sampled_from(
    (
        "requirements.txt",
        "pyproject.toml",
        "Pipfile",
        "environment.yml",
        "setup.py",
        "setup.cfg",
        ".python-version",
        "runtime.txt",
        "train.py",
        'cuda\n// "x": 1\n.py',
        "requirements/dev\n.txt",
    )
)
LINES = st.sampled_from(
    (
        "torch",
        "torch==2.1",
        "torch @ https://x/y.whl",
        "torch===a\\nb",
        "[project]",
        "[packages]",
        "python = '3'",
        "a = 1",
        "dependencies:",
        "  - python=3.9",
        "  - torch >=2",
        "-r x",
        "-e .",
        "3.9",
        "x.cuda()",
        "[options]",
        "%(x)s",
        "\x00",
        "]",
        'dependencies = ["torch", 3]',
        "install_requires = torch",
        '"cuda"',
        "pip:",
        "'",
        '"',
        "requires-python = 3",
        "#",
    )
)


FOLDERS = st.text(st.characters(exclude_characters="\0/"), max_size=8)  # as a disk can have them


@given(st.dictionaries(NAMES, st.lists(LINES, max_size=6).map("\n".join)), FOLDERS)
def test_whatever_a_repository_holds_the_proposal_is_valid(files: dict[str, str], name: str) -> None:
    result = proposal(files, name.encode("utf-8", "replace").decode())
    config = config_of(result)
    assert config.raw["remoteUser"] == "dev"
    instructions = re.findall(r"^(?!    |#|$)(\S+)", result.files[DOCKERFILE_PATH], re.MULTILINE)
    assert set(instructions) <= {"FROM", "RUN", "COPY", "ENV", "USER"}
