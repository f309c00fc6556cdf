"""A pytest plugin: a failure waits for a debugger, where `--pdb` would open its prompt."""

import os

from . import post_mortem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OURS = "-p devenv_entry.pytest_stop"


def pytest_configure(config: "Any") -> None:
    rest = os.environ.get("PYTEST_ADDOPTS", "").replace(_OURS, "").strip()
    if rest:
        os.environ["PYTEST_ADDOPTS"] = rest
    else:
        os.environ.pop("PYTEST_ADDOPTS", None)


def pytest_exception_interact(node: "Any", call: "Any", report: "Any") -> None:
    """pytest calls it for what went wrong, not for skips and expected failures."""
    info = call.excinfo
    if info is None or not isinstance(info.value, (Exception, _failed())):
        return
    capture = node.config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=True)
    try:
        print("\n" + str(report.longrepr), flush=True)
        post_mortem.stop(info.type, info.value, info.tb, "%s: a failure" % getattr(node, "nodeid", "collecting"))
    finally:
        if capture is not None:
            capture.resume_global_capture()


def _failed() -> "Any":
    import pytest  # type: ignore[import-not-found, unused-ignore]

    return pytest.fail.Exception
