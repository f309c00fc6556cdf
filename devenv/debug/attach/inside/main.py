"""One job, given as JSON; its answer is the last line on stdout."""

import json
import os
import sys

from . import survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main(job: "dict[str, Any]") -> None:
    if job["op"] == "survey":
        _tell(survey.survey(job))
        return
    from . import attach

    def work() -> None:
        try:
            answer = attach.attach(job)
        except Exception as error:
            answer = {"problem": "defect", "why": "%s: %s" % (type(error).__name__, error)}
        _tell(answer)

    attach.detached(work)


def _tell(answer: "dict[str, Any]") -> None:
    data = ("\n" + json.dumps(answer) + "\n").encode("ascii")
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError:
        pass  # the link was cut; the program is as it shall be
    sys.stdout.flush()
