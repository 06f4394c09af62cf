"""A service that is told to stop while it loads a model stops, however long the load takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SERVICE = """
import sys, threading
from pathlib import Path
from servicekit.serve import serve
from svc_vision.app import create_app
from svc_vision.engine.folders import ModelFolder
from svc_vision.engine.transformers_engine import TransformersEngine
from svc_vision.settings import Settings

def load(folder):
    (folder.path / "loading").touch()
    threading.Event().wait()

settings = Settings(data_dir=Path(sys.argv[1]), auth="off", uds=sys.argv[1] + "/door", drain_s=1)
serve(create_app(settings, TransformersEngine([ModelFolder("slow", "caption", Path(sys.argv[1]))], load)), settings)
"""
TOLD = {signal.SIGTERM: (0, -signal.SIGTERM), signal.SIGINT: (0,)}


@pytest.mark.parametrize("told", TOLD)
def test_a_load_under_way_does_not_hold_a_service_that_is_to_stop(
    tmp_path: Path, told: signal.Signals
) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    environment = {**os.environ, "GATEWAY_URL": "http://127.0.0.1:9"}
    command = [sys.executable, "-c", SERVICE, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as service:
        try:
            deadline = time.monotonic() + 120
            while not (tmp_path / "loading").exists():
                assert service.poll() is None and time.monotonic() < deadline, "it does not come up"
                time.sleep(0.05)
            service.send_signal(told)
            assert service.wait(60) in TOLD[told]
        finally:
            service.kill()
