"""What lives as long as the process is set apart: garbage is found soon, also that of a model that left."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator

import httpx
import pytest

from servicekit import garbage
from servicekit.models import ModelSlot
from tests.ports import free_port

PILES = """
import gc
from collections import deque
from servicekit import garbage
gc.set_threshold(70, 10, 10)  # everything in a tenth of the usual numbers
libraries = [[] for _ in range(100_000)]
gc.collect()
{settle}
recent = deque(maxlen=2_000)  # old enough that only a look at everything finds it
for _ in range(20_000):
    cycle = []
    cycle.append(cycle)
    recent.append(cycle)
print(gc.collect())
"""
SERVE = """
import gc, sys
from servicekit.health import Readiness
from servicekit.settings import ServiceSettings
kind, port = sys.argv[1], int(sys.argv[2])
settings = ServiceSettings(auth="off", port=port, drain_s=1)
if kind == "fastapi":
    from fastapi import FastAPI
    from servicekit import asgi
    from servicekit.serve import serve
    app = FastAPI()
    asgi.install(app, settings, readiness=Readiness("x"))
else:
    from flask import Flask
    from servicekit import wsgi
    from servicekit.serve_wsgi import serve
    app = Flask("x")
    wsgi.install(app, settings, readiness=Readiness("x"))
@app.get("/set-apart")
def set_apart() -> dict:
    return {"set_apart": gc.get_freeze_count(), "others": len(gc.get_objects())}
serve(app, settings)
"""


class Model:
    """A model that refers to itself, as large ones do through their hooks."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def settled() -> Iterator[None]:
    garbage.settle()
    yield
    gc.unfreeze()
    gc.collect()


def piled_up(settle: str) -> int:
    """Return how many objects of garbage were still there at the end."""
    command = [sys.executable, "-c", PILES.format(settle=settle)]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def test_garbage_is_found_long_before_it_is_a_quarter_of_what_lives_for_good() -> None:
    assert piled_up("") > 17_000  # all of it: what the settled process is spared
    assert piled_up("garbage.settle()") < 12_000


def test_a_model_that_refers_to_itself_is_gone_when_it_is_unloaded(settled: None) -> None:
    slot = ModelSlot(Model)
    slot.load()
    model = weakref.ref(slot.peek())  # type: ignore[arg-type]
    slot.unload()
    assert model() is None


def test_the_memory_of_a_model_is_given_back_after_its_cycles_are_found(settled: None) -> None:
    seen: list[object] = []
    slot = ModelSlot(Model, freed=lambda: seen.append(model()))
    slot.load()
    model = weakref.ref(slot.peek())  # type: ignore[arg-type]
    slot.unload()
    assert seen == [None]


def test_what_a_model_brings_is_set_apart(settled: None) -> None:
    before = gc.get_freeze_count()
    slot = ModelSlot(lambda: [[] for _ in range(10_000)])
    slot.load()
    assert gc.get_freeze_count() > before + 9_000


def test_a_process_that_has_not_settled_is_left_alone() -> None:
    slot = ModelSlot(Model)
    slot.load()
    slot.unload()
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("kind", ["fastapi", "flask"])
def test_a_service_settles_when_it_starts(kind: str) -> None:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", SERVE, kind, str(port)], stdout=subprocess.DEVNULL)
    try:
        told = asked(f"http://127.0.0.1:{port}/set-apart", process)
    finally:
        process.terminate()
        process.wait(60)
    assert told["set_apart"] > 10 * told["others"]


def asked(url: str, process: subprocess.Popen) -> dict[str, int]:
    """Return the answer of a service that is starting."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return dict(httpx.get(url, timeout=20).raise_for_status().json())
        except httpx.HTTPError:
            assert time.monotonic() < deadline and process.poll() is None, "the service did not start"
            time.sleep(0.05)
