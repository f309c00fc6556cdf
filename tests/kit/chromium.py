"""Headless Chromium over the DevTools protocol, through its two pipes: no port is opened and no library needed."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.kit.waiting import eventually

Message = dict[str, Any]

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--mute-audio",
    "--window-size=1280,900",
    "--remote-debugging-pipe",
)


def program() -> str | None:
    """Path of Chromium on this machine, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """A Chromium of its own with an empty profile. Use with `with`: leaving ends it and removes the profile."""

    def __init__(self) -> None:
        path = program()
        assert path, "no Chromium on this machine"
        self._profile = Path(tempfile.mkdtemp(prefix="rig-chromium-"))
        to_browser, self._write_end = os.pipe()
        self._read_end, from_browser = os.pipe()

        def place_pipes() -> None:
            # Chromium reads commands from descriptor 3 and writes to 4; go through high numbers so that neither
            # pipe is overwritten while the other moves.
            high_in, high_out = os.dup2(to_browser, 103), os.dup2(from_browser, 104)
            os.dup2(high_in, 3)
            os.dup2(high_out, 4)

        self._process = subprocess.Popen(
            [path, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=place_pipes,
            close_fds=False,
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._sequence = 0
        self._received = b""
        self._answers: dict[int, Message] = {}
        self.events: list[Message] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, AssertionError):
            self.command("Browser.close", timeout=5)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write_end)
        os.close(self._read_end)
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, url: str, timeout: float = 60.0) -> Page:
        """A new page at `url`, loaded."""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self, self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        page.command("Page.enable")
        # Without it, a headless page believes that its window is in the background.
        page.command("Emulation.setFocusEmulationEnabled", enabled=True)
        page.command("Runtime.enable")
        page.go(url, timeout)
        return page

    def command(self, method: str, session: str | None = None, timeout: float = 30.0, **params: Any) -> Message:
        self._sequence += 1
        number = self._sequence
        message: Message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write_end, data) :]
        self._pump(lambda: number in self._answers, method, timeout)
        answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: Message = answer["result"]
        return result

    def _pump(self, done: Callable[[], bool], what: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not done():
            ready, _, _ = select.select([self._read_end], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"Chromium did not answer {what} within {timeout} s"
            chunk = os.read(self._read_end, 1 << 20)
            assert chunk, f"Chromium ended during {what}"
            *messages, self._received = (self._received + chunk).split(b"\0")
            for raw in messages:
                message = json.loads(raw)
                if "id" in message:
                    self._answers[message["id"]] = message
                else:
                    self.events.append(message)


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def command(self, method: str, timeout: float = 30.0, **params: Any) -> Message:
        return self._browser.command(method, self._session, timeout, **params)

    def go(self, url: str, timeout: float = 60.0) -> None:
        """Loads `url`; fails when nothing answers there."""
        result = self.command("Page.navigate", url=url, timeout=timeout)
        assert "errorText" not in result, f"{url}: {result['errorText']}"
        self.wait_for("document.readyState === 'complete'", timeout)

    def evaluate(self, expression: str, timeout: float = 30.0) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        result = self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, timeout=timeout
        )
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def wait_for(self, expression: str, timeout: float = 60.0) -> Any:
        """The value of `expression`, once it is true."""

        def truth() -> Any:
            value = self.evaluate(expression)
            assert value, f"{self.title()!r} shows: {self.text()[:500]}"
            return value

        return eventually(truth, expression, timeout, every=0.2)

    def click(self, selector: str) -> None:
        """Presses the left mouse button in the middle of the first element that the CSS selector finds."""
        box = self.evaluate(
            f"(() => {{ const found = document.querySelector({json.dumps(selector)}); found.scrollIntoView();"
            " const box = found.getBoundingClientRect();"
            " return {x: box.x + box.width / 2, y: box.y + box.height / 2}; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **box)

    def press(self, key: str, code: int, *, shift: bool = False, control: bool = False) -> None:
        """Presses a key: its DOM name and its Windows virtual key code (`Enter`, 13)."""
        modifiers = 8 * shift + 2 * control
        for kind in ("rawKeyDown", "keyUp"):
            self.command(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, modifiers=modifiers
            )

    def text(self) -> str:
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def title(self) -> str:
        return str(self.evaluate("document.title"))

    def screenshot(self, path: Path) -> Path:
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot")["data"]))
        return path
