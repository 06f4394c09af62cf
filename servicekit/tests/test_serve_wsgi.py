"""A service of Flask's under gunicorn: what its process writes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

PROGRAM = """
from flask import Flask
from servicekit.health import Readiness
from servicekit.serve_wsgi import serve
from servicekit.settings import ServiceSettings
from servicekit.wsgi import install

settings = ServiceSettings(service="svc-test", port=0, auth="off")
app = Flask("svc-test")
install(app, settings, readiness=Readiness("svc-test"))
serve(app, settings)
"""


def test_every_line_of_the_process_is_an_event(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    impatient = threading.Timer(60, process.kill)
    impatient.start()
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if "Booting worker" in line:
            process.terminate()
    _, complaints = process.communicate(timeout=60)
    impatient.cancel()
    messages = [json.loads(line)["message"] for line in lines]
    assert any(message.startswith("Listening at") for message in messages)
    assert any(message.startswith("Shutting down") for message in messages)
    assert complaints == ""
