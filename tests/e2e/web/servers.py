"""Programs and settings of the project that the tests of services and ports use."""

from __future__ import annotations

import json

SETTINGS = """\
services:
  jupyter: {kind: jupyter}
  api: {kind: command, command: "python3 serve.py 127.0.0.1 8765 api", port: 8765}
"""

# Answers every request with its name and its process id, on the address that it is told.
SERVE = """\
import http.server, os, socket, sys

host, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"<title>{name}</title>{name} {os.getpid()}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in host else socket.AF_INET


Server((host, port), Answer).serve_forever()
"""

TRAIN = """\
from torch.utils.tensorboard import SummaryWriter

with SummaryWriter("runs/first") as board:
    for step in range(20):
        board.add_scalar("loss/train", 1 / (step + 1), step)
"""

NOTEBOOK = json.dumps(
    {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": "one",
                "metadata": {},
                "outputs": [],
                "source": ["import os, pathlib\n", "print('the answer is', 6 * 7, pathlib.Path('serve.py').exists())"],
            }
        ],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
)
