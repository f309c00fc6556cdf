"""Ready scripts for the fake client: an invented project in the states that a front end must show well.

Everything is fixed, the clock too, so that two drawings of one scene are the same.
"""

from __future__ import annotations

import time

import msgspec

from devenv.api import fake_debug
from devenv.api.fake import FakeClient
from devenv.api.fake_spool import FakeSpool, RatedSpool
from devenv.api.views import (
    ConfigurationView,
    DebugView,
    DriftView,
    EnvironmentView,
    EnvStatus,
    OperationView,
    PortView,
    ProgressView,
    RunConfigView,
    RunState,
    RunView,
    ServiceView,
    Snapshot,
    TestView,
    UsageView,
)

NOW = 1_767_605_400.0  # a Monday morning
GIB = 1024**3

ENVIRONMENT = EnvironmentView(
    key="3f9a51c07be2",
    name="digits-pytorch",
    local_folder="/home/ada/digits-pytorch",
    config_file="/home/ada/digits-pytorch/.devcontainer/devcontainer.json",
    status=EnvStatus.RUNNING,
    container="devenv-digits-pytorch-3f9a51c0",
    container_id="b1946ac92492",
    image="pytorch/pytorch:2.9.1-cuda12.8",
    started=NOW - 7_640,
    remote_user="ada",
    workspace_folder="/workspaces/digits-pytorch",
    python="/opt/conda/bin/python",
    python_version="3.12.12",
    engine="docker 29.1",
    tier="direct",
    tier_reason="the container shares this machine's kernel and mounts",
    usage=UsageView(cpu_percent=612.0, cpus=16.0, memory=int(21.4 * GIB), memory_limit=64 * GIB),
)

CONFIGS = [
    RunConfigView(name="train", command="train.py --epochs 20", kind="script"),
    RunConfigView(name="evaluate", command="evaluate.py --checkpoint best.pt", kind="script"),
    RunConfigView(name="sweep", command="python -m sweep --trials 40", kind="module"),
    RunConfigView(name="lint", command="ruff check .", kind="command"),
    RunConfigView(name="export.py", command="python export.py", kind="script", found=True),
]

PORTS = [
    PortView(
        port=8888,
        host_port=8888,
        label="Jupyter",
        source="service",
        protocol="http",
        process="python -m jupyterlab --port 8888",
        pid=412,
        listening=True,
        url="http://127.0.0.1:8888/lab",
        secret_url="http://127.0.0.1:8888/lab?token=5f0c1d",
        tier="direct",
        connections=3,
    ),
    PortView(
        port=6006,
        host_port=24_117,
        label="TensorBoard",
        source="service",
        protocol="http",
        process="tensorboard --logdir runs --port 6006",
        pid=433,
        listening=True,
        url="http://127.0.0.1:24117/",
        note="6006 is taken by tensorboard (pid 991, ada)",
        tier="direct",
    ),
    PortView(
        port=5678,
        host_port=5678,
        label="debugger",
        source="debug",
        protocol="dap",
        process="python -m debugpy.adapter",
        pid=981,
        listening=True,
        tier="direct",
        connections=1,
    ),
    PortView(
        port=8000,
        host_port=8000,
        source="detected",
        protocol="http",
        process="uvicorn app:app --port 8000",
        pid=1204,
        listening=True,
        tier="direct",
    ),
    PortView(port=9000, host_port=None, label="API", source="configured"),
]

SERVICES = [
    ServiceView(
        name="jupyter",
        kind="jupyter",
        state="running",
        port=8888,
        run="s1",
        url="http://127.0.0.1:8888/lab",
        secret_url="http://127.0.0.1:8888/lab?token=5f0c1d",
    ),
    ServiceView(
        name="tensorboard", kind="tensorboard", state="running", port=6006, run="s2", url="http://127.0.0.1:24117/"
    ),
    ServiceView(name="api", kind="command", state="stopped", port=9000),
]

FAILURE = """def test_shapes_of_a_batch(loader):
    images, labels = next(iter(loader))
>   assert images.shape == (64, 1, 8, 8)
E   AssertionError: assert torch.Size([64, 8, 8]) == (64, 1, 8, 8)
E     At index 1 diff: 8 != 1"""

TESTS = [
    TestView(id="tests/test_model.py::test_forward", outcome="passed", seconds=0.41),
    TestView(id="tests/test_model.py::test_parameters_are_few", outcome="passed", seconds=0.02),
    TestView(id="tests/test_model.py::test_learns_one_batch", outcome="passed", seconds=1.84),
    TestView(id="tests/test_data.py::test_split_is_fixed", outcome="passed", seconds=0.03),
    TestView(
        id="tests/test_data.py::test_shapes_of_a_batch",
        outcome="failed",
        seconds=0.12,
        message=FAILURE,
        file="/home/ada/digits-pytorch/tests/test_data.py",
        line=31,
    ),
    TestView(
        id="tests/test_data.py::test_augments[rotate]",
        outcome="failed",
        seconds=0.08,
        message="E   ValueError: degrees must be positive",
        file="/home/ada/digits-pytorch/tests/test_data.py",
        line=47,
    ),
    TestView(id="tests/test_data.py::test_augments[shift]", outcome="passed", seconds=0.06),
    TestView(id="tests/test_export.py::test_onnx", outcome="skipped", seconds=0.0),
    TestView(id="tests/test_train.py::test_resumes", outcome="passed", seconds=2.10),
    TestView(id="tests/test_train.py::test_accuracy", outcome="passed", seconds=8.75),
]

UP_STEPS = (
    EnvStatus.BUILDING,
    ProgressView(key="plan", title="Plan", done=True),
    ProgressView(key="pull", title="Pull pytorch/pytorch:2.9.1-cuda12.8", fraction=1.0, done=True, detail="3.9 GiB"),
    ProgressView(
        key="build", title="Build the image", fraction=0.62, detail="7/11 RUN pip install -r requirements.txt"
    ),
    "#11 4.113 Collecting torchmetrics==1.8.2",
    "#11 4.502   Downloading torchmetrics-1.8.2-py3-none-any.whl (983 kB)",
    "#11 6.020 Collecting tensorboard>=2.20",
    "#11 6.341   Downloading tensorboard-2.20.0-py3-none-any.whl (5.5 MB)",
    "#11 9.878 Installing collected packages: tensorboard, torchmetrics",
)


def training_output() -> bytes:
    """What a training prints: log lines, colours, a progress bar drawn over itself."""
    lines = ["device cuda:0 (NVIDIA H100 80GB HBM3)", "1,437 images for training, 360 for validation", ""]
    for epoch in range(1, 15):
        loss, accuracy = 2.1 / (epoch + 0.4), 100 - 38 / (epoch + 0.2)
        colour = "32" if accuracy > 95 else "33"
        lines.append(
            f"\x1b[1mepoch {epoch:>2}/20\x1b[0m  loss {loss:.4f}  accuracy \x1b[{colour}m{accuracy:.2f} %\x1b[0m"
            f"  \x1b[2mlr {3e-4 * 0.93**epoch:.2e}  {6.1 + epoch % 3 / 10:.1f} s\x1b[0m"
        )
        if epoch == 9:
            lines.append("\x1b[33mWARNING\x1b[0m loader: worker 3 waited 0.8 s for its lock")
    bars = "".join(
        f"\r\x1b[36mepoch 15\x1b[0m {p:>3}%|{'█' * (p // 4):<25}| {p * 9}/900 [00:0{p // 20}<00:02, 184it/s]"
        for p in range(0, 64, 7)
    )
    return ("\r\n".join(lines) + "\r\n" + bars).encode()


def _run(id: str, name: str, kind: str, state: RunState, began: float, lasted: float | None, **more: object) -> RunView:
    values = {
        "id": id,
        "name": name,
        "kind": kind,
        "state": state,
        "argv": ["python", f"{name}.py"],
        "cwd": "/workspaces/digits-pytorch",
        "tty": True,
        "started": NOW - began,
        "ended": None if lasted is None else NOW - began + lasted,
        **more,
    }
    return msgspec.convert(values, RunView)


def runs() -> list[RunView]:
    """A training that goes on, and how earlier runs ended: each way once."""
    ended = RunState.EXITED
    return [
        _run("r8", "train", "run", RunState.RUNNING, 98, None),
        _run("r7", "evaluate", "debug", RunState.RUNNING, 141, None),
        _run("r6", "test", "test", ended, 160, 13.4, exit_code=1),
        _run("r5", "train", "run", RunState.OOM, 900, 312, exit_code=137, reason="out of memory at 63.9 GiB"),
        _run("r4", "lint", "run", ended, 1_300, 0.8, exit_code=0),
        _run("r3", "sweep", "run", RunState.SIGNALED, 5_200, 1_204, signal=2),
        _run("r2", "evaluate", "run", ended, 6_000, 22, exit_code=3),
        _run("r1", "train", "run", ended, 7_100, 640, exit_code=0),
        _run("r0", "train", "run", RunState.LOST, 80_000, 9_000, reason="container stopped at 11:42"),
        _run("s1", "jupyter", "service", RunState.RUNNING, 7_600, None),
        _run("s2", "tensorboard", "service", RunState.RUNNING, 7_600, None),
    ]


def clock() -> float:
    return NOW


def absent(*, configured: bool = True) -> FakeClient:
    """A project that was just cloned."""
    environment = EnvironmentView(
        key=ENVIRONMENT.key,
        name=ENVIRONMENT.name,
        local_folder=ENVIRONMENT.local_folder,
        config_file=ENVIRONMENT.config_file if configured else "",
        status=EnvStatus.ABSENT,
        engine=ENVIRONMENT.engine,
    )
    client = FakeClient(Snapshot(environment=environment), clock=clock)
    client.up_steps = UP_STEPS
    return client


def ready() -> FakeClient:
    """The environment is up and nothing ran yet."""
    client = FakeClient(Snapshot(environment=ENVIRONMENT, configs=CONFIGS), clock=clock)
    client.test_results = TESTS
    client.up_steps = UP_STEPS
    return client


def busy() -> FakeClient:
    """Runs, tests with failures, services, ports, drift and a note."""
    client = ready()
    drift = [DriftView(property="shm size", wanted="8 GiB", actual="64 MiB")]
    notes = ["/dev/shm has 64 MiB: data loader workers may die."]
    for run in runs():
        client.spools[run.id] = FakeSpool(training_output() if run.name == "train" else b"done\r\n")
    client.change(
        environment=msgspec.structs.replace(ENVIRONMENT, drift=drift, notes=notes),
        configs=[
            msgspec.structs.replace(config, run={"train": "r8", "evaluate": "r7"}.get(config.name))
            for config in CONFIGS
        ],
        runs=runs(),
        ports=PORTS,
        services=SERVICES,
        debug=DebugView(host="127.0.0.1", port=5678, run="r7", waiting=True),
    )
    client.show_tests(TESTS, "r6")
    client.sessions = fake_debug.SESSIONS
    client.build_text = "".join(f"{step}\n" for step in UP_STEPS if type(step) is str)
    return client


CONFIGURATIONS = [
    ConfigurationView(
        config=".devcontainer/devcontainer.json",
        file="/home/ada/digits-pytorch/.devcontainer/devcontainer.json",
        name="digits-pytorch",
        kind="image",
        made_from="pytorch/pytorch:2.9.1-cuda12.8",
        default=True,
        status=EnvStatus.RUNNING,
    ),
    ConfigurationView(
        config="cpu",
        file="/home/ada/digits-pytorch/.devcontainer/cpu/devcontainer.json",
        name="Digits on a laptop",
        kind="dockerfile",
        made_from=".devcontainer/cpu/Dockerfile",
        status=EnvStatus.STOPPED,
    ),
    ConfigurationView(
        config="cluster",
        file="/home/ada/digits-pytorch/.devcontainer/cluster/devcontainer.json",
        kind="compose",
        made_from="compose.yml, service trainer",
    ),
    ConfigurationView(
        config="old",
        file="/home/ada/digits-pytorch/.devcontainer/old/devcontainer.json",
        problem=".devcontainer/old/devcontainer.json:3: image: expected a text, not a number",
    ),
]


def undecided(*, remembered: str = "") -> FakeClient:
    """A folder with several configurations, none of which is the default one."""
    client = ready()
    client.configuration_views = [msgspec.structs.replace(view, default=False) for view in CONFIGURATIONS[1:]]
    client.change_environment(others=[view.file for view in CONFIGURATIONS[:1]])
    client.remembered = remembered
    return client


def finishing() -> FakeClient:
    """Up, while lifecycle commands still run behind the scenes; some drift that is in force already."""
    client = ready()
    step = ProgressView(key="postCreateCommand", title="postCreateCommand: pip install -e .[dev]")
    operation = OperationView(verb="hooks", started=NOW - 41, running=True, steps=[step], log=["Collecting ruff"])
    drift = [
        DriftView(property="image", wanted="pytorch/pytorch:2.10", actual="pytorch/pytorch:2.9.1-cuda12.8"),
        DriftView(
            property="containerEnv.WANDB_MODE", wanted="(another value)", actual="(value at creation)", live=True
        ),
    ]
    client.change_environment(pending=["postCreateCommand"], drift=drift, shutdown_action="stopContainer")
    client.change(operation=operation)
    return client


def rushing(rate: float = 10_000) -> FakeClient:
    """A run that prints `rate` lines a second, for as long as it is watched."""
    client = busy()
    client.spools["r8"] = RatedSpool(rate)
    return client


def live_clock() -> float:
    """For trying a scene by hand: begins at the scene's own time and goes on."""
    return NOW + time.monotonic() - _BEGAN


_BEGAN = time.monotonic()
