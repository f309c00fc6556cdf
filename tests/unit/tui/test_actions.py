"""What each action asks of the supervisor, and what it shows."""

from __future__ import annotations

import msgspec
import pytest

from devenv.api import fake_scenes
from devenv.api.fake import FakeClient
from devenv.api.profiling import FrameView, ProfileResult, ProfileView, RowView
from devenv.api.views import EnvStatus, OperationView, ProgressView, RunState
from devenv.errors import EngineMissing, PortTaken, ProfileError, Refused
from tui.dialogs.question import Question
from tui.model.state import Chosen, Pane
from tui.screens.overlays import DetailsScreen, HelpScreen, ProgressScreen, ReadingScreen

from .conftest import NARROW, Open

# Environment


async def test_up_shows_its_progress_and_closes_it(opened: Open) -> None:
    client = fake_scenes.absent()
    client.gate.clear()
    async with opened(client) as table:
        await table.press("u")
        await table.sees("pip install -r requirements.txt")
        assert isinstance(table.app.screen, ProgressScreen)
        await table.press("escape")
        assert "bringing up" in table.text()
        await table.press("p")
        assert isinstance(table.app.screen, ProgressScreen)
        client.gate.set()
        await table.until(lambda: table.app.state.status is EnvStatus.RUNNING)
        await table.until(lambda: not isinstance(table.app.screen, ProgressScreen))
        assert "is up" in table.toasts()


async def test_a_failing_up_keeps_its_report(opened: Open) -> None:
    client = fake_scenes.absent()
    client.fail_next("up", EngineMissing("No container engine answers.", "Start Docker."))
    async with opened(client) as table:
        await table.press("u")
        await table.sees("Start Docker.")
        assert "No container engine answers." in table.text()


async def test_start_of_a_stopped_environment(opened: Open) -> None:
    client = fake_scenes.ready()
    client.change_environment(status=EnvStatus.STOPPED)
    async with opened(client) as table:
        await table.press("s")
        await table.until(lambda: table.app.state.up)
        assert table.asked("start") == [()]


async def test_stop_names_live_runs_and_forces_only_when_told(opened: Open) -> None:
    async with opened() as table:
        await table.press("S")
        await table.sees("End them and stop")
        assert "jupyter" in table.text()
        await table.press("n")
        assert table.asked("stop") == [(False,)]
        await table.press("S")
        await table.sees("End them and stop")
        await table.press("enter")  # the default is to cancel
        assert table.asked("stop") == [(False,), (False,)]
        await table.press("S")
        await table.sees("End them and stop")
        await table.press("y")
        await table.until(lambda: table.app.state.status is EnvStatus.STOPPED)
        assert table.asked("stop")[-1] == (True,)


async def test_stop_without_live_runs_asks_nothing(opened: Open) -> None:
    async with opened(fake_scenes.ready()) as table:
        await table.press("S")
        await table.until(lambda: table.app.state.status is EnvStatus.STOPPED)
        assert table.asked("stop") == [(False,)]


async def test_rebuild_asks_first_and_again_for_live_runs(opened: Open) -> None:
    async with opened() as table:
        await table.press("U")
        await table.sees("Rebuild the container?")
        await table.press("escape")
        assert table.asked("up") == []
        await table.press("U")
        await table.sees("Rebuild the container?")
        await table.press("y")
        await table.sees("End them and rebuild")
        await table.press("y")
        await table.until(lambda: len(table.asked("up")) == 2)
        assert table.asked("up") == [(True, False), (True, True)]


@pytest.mark.parametrize(("id", "volumes"), [("down", False), ("down-volumes", True)])
async def test_remove_asks_first(opened: Open, id: str, volumes: bool) -> None:
    async with opened(fake_scenes.ready()) as table:
        table.app.perform(id)
        await table.until(lambda: isinstance(table.app.screen, Question))
        await table.press("n")
        assert table.asked("down") == []
        table.app.perform(id)
        await table.until(lambda: isinstance(table.app.screen, Question))
        await table.press("y")
        await table.until(lambda: table.app.state.status is EnvStatus.ABSENT)
        assert table.asked("down") == [(volumes, False)]


async def test_details_show_drift_with_both_values(opened: Open) -> None:
    async with opened() as table:
        await table.press("e")
        await table.until(lambda: isinstance(table.app.screen, DetailsScreen))
        assert "8 GiB" in table.text() and "64 MiB" in table.text()


# Runs


async def test_run_debug_and_enter(opened: Open) -> None:
    async with opened(fake_scenes.ready()) as table:
        await table.press("r")
        await table.until(lambda: table.app.state.runs)
        assert table.asked("run") == [("train", (), False, False)]
        assert table.app.state.selected == table.app.state.runs[0].id
        await table.press("down", "d")
        await table.until(lambda: len(table.app.state.runs) == 2)
        assert table.asked("run")[-1] == ("evaluate", (), True, True)
        await table.press("down", "enter")
        await table.until(lambda: len(table.app.state.runs) == 3)
        assert table.asked("run")[-1] == ("sweep", (), False, False)
        table.app.perform("debug-free")
        await table.until(lambda: len(table.asked("run")) == 4)
        assert table.asked("run")[-1] == ("sweep", (), True, False)


async def test_enter_on_a_live_configuration_shows_its_output(opened: Open) -> None:
    async with opened(size=NARROW) as table:
        await table.press("down", "enter")
        assert table.asked("run") == [] and table.app.state.selected == "r7"
        assert table.app.state.tab is Pane.OUTPUT


async def test_a_script_with_arguments(opened: Open) -> None:
    async with opened(fake_scenes.ready()) as table:
        await table.press("o")
        await table.sees("Run a script")
        await table.press(*"train.py", "space", *"--name", "space", *"'a b'", "enter")
        await table.until(lambda: table.asked("run"))
        assert table.asked("run") == [("train.py", ("--name", "a b"), False, False)]


async def test_words_that_cannot_be_split_are_said(opened: Open) -> None:
    async with opened(fake_scenes.ready()) as table:
        await table.press("o", *"x.py", "space", "'", "enter")
        await table.until(table.toasts)
        assert table.asked("run") == [] and "quotation" in table.toasts()


async def test_end_kill_and_rerun_mean_the_shown_run(opened: Open) -> None:
    async with opened() as table:
        await table.press("x")
        await table.until(lambda: table.app.state.run("r8").state is RunState.SIGNALED)
        await table.press("R")
        await table.until(lambda: table.asked("rerun") == [("r8",)])
        await table.press("X")
        await table.until(lambda: len(table.asked("end_run")) == 2)
        assert table.asked("end_run")[1][1] is True


async def test_an_error_is_a_toast_with_its_hint(opened: Open) -> None:
    client = fake_scenes.ready()
    client.fail_next("run", PortTaken("5678 is taken by sshd.", "End it or choose another."))
    async with opened(client) as table:
        await table.press("r")
        await table.until(table.toasts)
        assert "5678 is taken" in table.toasts() and "choose another" in table.toasts()


# Tests


async def test_tests_all_failed_one_and_output(opened: Open) -> None:
    async with opened() as table:
        await table.press("3", "t")
        await table.until(lambda: table.asked("test") == [((),)])
        await table.press("F")
        await table.until(lambda: len(table.asked("test")) == 2)
        failed = {test.id for test in fake_scenes.TESTS if test.outcome == "failed"}
        assert set(table.asked("test")[1][0]) == failed
        await table.press("home", "down", "T")
        await table.until(lambda: len(table.asked("test")) == 3)
        assert table.asked("test")[2][0] == ("tests/test_data.py::test_shapes_of_a_batch",)
        await table.press("v")
        assert table.app.state.selected == table.client.snapshot.tests.run


async def test_watch_is_switched_on_and_off(opened: Open) -> None:
    async with opened() as table:
        await table.press("3", "w")
        await table.sees("watching")
        await table.press("w")
        await table.until(lambda: "watching" not in table.text())
        assert table.asked("watch_tests") == [(True,), (False,)]


async def test_a_file_is_folded_and_opened(opened: Open) -> None:
    async with opened() as table:
        await table.press("3", "home")
        assert "test_augments" in table.text()
        await table.press("enter")
        assert "test_augments" not in table.text()
        await table.press("space")
        assert "test_augments" in table.text()


# Services and ports


async def test_addresses_are_copied_and_opened_with_their_token_out_of_sight(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened() as table:
        copied: list[str] = []
        monkeypatch.setattr(table.app, "copy_to_clipboard", copied.append)
        await table.press("4", "c")
        await table.until(lambda: copied)
        assert copied == ["http://127.0.0.1:8888/lab?token=5f0c1d"]
        await table.press("b")
        await table.until(lambda: table.opened)
        assert table.opened[0].startswith("file://") and "5f0c1d" not in table.opened[0]
        await table.until(table.toasts)
        assert "5f0c1d" not in table.text() + table.toasts()
        await table.press("enter")  # shows the output of the service
        assert table.app.state.selected == "s1"


async def test_without_a_display_the_address_is_copied(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(display=False) as table:
        copied: list[str] = []
        monkeypatch.setattr(table.app, "copy_to_clipboard", copied.append)
        await table.press("4", "down", "b")
        await table.until(lambda: copied)
        assert copied == ["http://127.0.0.1:24117/"] and table.opened == []
        assert "no display" in table.toasts()


async def test_services_start_stop_and_restart(opened: Open) -> None:
    async with opened() as table:
        await table.press("4", "a")
        await table.until(lambda: table.asked("service") == [("jupyter", "stop")])
        await table.press("a")
        await table.until(lambda: len(table.asked("service")) == 2)
        await table.press("A")
        await table.until(lambda: len(table.asked("service")) == 3)
        assert [call[1] for call in table.asked("service")] == ["stop", "start", "restart"]


# Screen


async def test_panes_by_number(opened: Open) -> None:
    async with opened(size=NARROW) as table:
        for number, pane in enumerate(Pane, 1):
            await table.press(str(number))
            assert table.app.state.tab is pane and table.app.state.focus is pane


async def test_help_theme_and_quit(opened: Open) -> None:
    async with opened() as table:
        await table.press("question_mark")
        assert isinstance(table.app.screen, HelpScreen)
        await table.press("escape", "ctrl+t")
        assert table.app.theme == "devenv-light"
        await table.press("ctrl+t")
        assert table.app.theme == "devenv-ansi" and "digits" in table.text()
        await table.press("q")
        assert table.app.return_code == 0


async def test_reconnects_by_itself_and_at_once_when_asked(opened: Open) -> None:
    async with opened() as table:
        table.client.fail_next("watch", EngineMissing("gone", "wait"))
        await table.sees("Supervisor lost")
        await table.press("ctrl+r")
        await table.until(lambda: "Supervisor lost" not in table.text())


async def test_clicks_do_what_keys_do(opened: Open) -> None:
    async with opened(size=NARROW) as table:
        await table.pilot.click("#tabs", offset=(30, 0))
        await table.settle()
        assert table.app.state.tab is Pane.TESTS
        await table.pilot.click("#footer", offset=(3, 0))
        await table.until(lambda: table.asked("test"))


async def test_a_changed_configuration_keeps_the_cursor(opened: Open) -> None:
    client: FakeClient = fake_scenes.ready()
    async with opened(client) as table:
        await table.press("down", "down")
        assert table.app.state.config == "sweep"
        first = msgspec.structs.replace(fake_scenes.CONFIGS[0], name="another")
        client.change(configs=[first, *fake_scenes.CONFIGS])
        await table.sees("another")
        assert table.app.state.config == "sweep"


async def test_up_without_a_configuration_offers_to_write_one(opened: Open) -> None:
    client = fake_scenes.absent()
    client.configured = False
    async with opened(client) as table:
        await table.press("u")
        await table.sees("Write it and go on")
        await table.press("y")
        await table.until(lambda: table.app.state.status is EnvStatus.RUNNING)
        assert table.asked("init") == [()]


async def test_what_a_rebuild_would_lose_is_listed(opened: Open) -> None:
    client = fake_scenes.ready()
    client.fail_next("up", Refused("the container holds 1 file", "", details={"lines": ["/root/model.pt  (12.0 MB)"]}))
    async with opened(client) as table:
        await table.press("U")
        await table.sees("Rebuild the container?")
        await table.press("y")
        await table.sees("/root/model.pt")
        await table.press("y")
        await table.until(lambda: table.asked("up") == [(True, False), (True, True)])


async def test_the_work_of_another_client_is_shown(opened: Open) -> None:
    client = fake_scenes.absent()
    async with opened(client) as table:
        steps = [ProgressView(key="image", title="Pulling the image")]
        client.change(operation=OperationView(verb="up", started=1.0, running=True, steps=steps))
        await table.sees("bringing up")
        await table.press("p")
        await table.sees("Pulling the image")
        client.change(operation=OperationView(verb="up", started=1.0, running=False, steps=steps, error="no space"))
        await table.sees("no space")


async def test_the_terminal_of_a_live_run_gets_the_size_of_the_pane(opened: Open) -> None:
    client = fake_scenes.ready()
    async with opened(client) as table:
        run = await client.run("train", [])
        await table.until(lambda: run in client.sizes)
        pane = table.app.output().size
        assert client.sizes[run] == (pane.height, pane.width)


async def test_lifecycle_commands_behind_the_scenes_hold_up_nothing(opened: Open) -> None:
    client = fake_scenes.finishing()
    async with opened(client) as table:
        assert "lifecycle commands" in table.text()
        await table.press("p")
        await table.sees("pip install -e .[dev]")
        await table.press("escape", "S")
        await table.until(lambda: table.asked("stop") == [(False,)])


async def test_lifecycle_commands_that_fail_are_told_and_run_again(opened: Open) -> None:
    client = fake_scenes.finishing()
    async with opened(client) as table:
        operation = client.snapshot.operation
        assert operation is not None
        failed = msgspec.structs.replace(operation, running=False, error="postCreateCommand failed", hint="Look at it.")
        client.change(operation=failed)
        await table.until(table.toasts)
        assert "postCreateCommand failed" in table.toasts() and "Look at it." in table.toasts()
        await table.press("u")
        await table.until(lambda: table.asked("up") == [(False, False)])


async def test_lifecycle_commands_after_an_up_of_our_own_are_shown(opened: Open) -> None:
    client = fake_scenes.absent()
    async with opened(client) as table:
        await table.press("u")
        await table.until(lambda: table.app.state.up)
        began = table.app.state.operation
        assert began is not None
        client.change(operation=OperationView(verb="hooks", started=began.started - 0.1, running=True))
        await table.sees("lifecycle commands")


# Looking into a run


async def test_where_a_run_stands_is_read_over_the_workbench(opened: Open) -> None:
    client = fake_scenes.busy()
    client.stack_text = (
        "train (1): 1 process\n  train.py  pid 3\n\nMainThread of train.py (3), waiting\n  ▸ step  /p/train.py:4\n"
    )
    async with opened(client) as table:
        run = next(run.id for run in client.snapshot.runs if run.state.live)
        table.app.dispatch(Chosen(run))
        await table.press("K")
        await table.sees("▸ step  /p/train.py:4")
        assert isinstance(table.app.screen, ReadingScreen)
        assert table.asked("stack") == [(run,)]
        await table.press("escape")
        assert not isinstance(table.app.screen, ReadingScreen)


async def test_a_profile_is_read_with_the_projects_own_functions(opened: Open) -> None:
    def row(name: str, own: float, total: float, ours: bool) -> RowView:
        frame = FrameView(
            name=name, file="/w/a.py", line=3, host="/p/a.py" if ours else "", own=ours, short="torch/a.py"
        )
        return RowView(frame=frame, own=own, total=total)

    view = ProfileView(
        id="x", kind="cpu", name="train", run="1", started=0.0, seconds=10.0, unit="seconds", total=9.5, count=950,
        page="/s/flame.html",
    )  # fmt: skip
    client = fake_scenes.busy()
    client.profile_result = ProfileResult(
        profile=view, rows=[row("matmul", 0.75, 0.75, False)], project=[row("step", 0.0, 0.98, True)]
    )
    async with opened(client) as table:
        run = next(run.id for run in client.snapshot.runs if run.state.live)
        table.app.dispatch(Chosen(run))
        await table.press("P")
        await table.sees("/s/flame.html")
        text = table.text()
        assert "train: 9.50 s of work in 10.0 s, 950 samples" in text
        assert "75.0%   75.0%  matmul" in text and "torch/a.py:3" in text
        assert "0.0%   98.0%  step" in text and "/p/a.py:3" in text


async def test_a_run_that_cannot_be_looked_into_says_why(opened: Open) -> None:
    client = fake_scenes.busy()
    client.fail_next("stack", ProfileError("py-spy cannot read process 3", "use another interpreter"))
    async with opened(client) as table:
        table.app.dispatch(Chosen(next(run.id for run in client.snapshot.runs if run.state.live)))
        await table.press("K")
        await table.until(lambda: "py-spy cannot read process 3" in table.toasts())
