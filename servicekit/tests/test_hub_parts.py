"""What was fetched of a model that nobody goes on installing can be removed, and goes by itself in the end."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from servicekit.errors import Conflict, ModelNotFound
from servicekit.hub import Shelf
from servicekit.hub import installs as installs_module
from servicekit.hub.installs import _Meter
from servicekit.hub.shelf import PARTS_KEPT_S
from servicekit.jobs import JobCancelled

from .test_hub import Service, Told, install, service  # noqa: F401 - a fixture


def fetched(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def stopped(service: Service) -> None:  # noqa: F811
    with pytest.raises(JobCancelled):
        install(service, told=Told(cancel_after=600_000))
    assert fetched(service.folder) > 0


def test_what_was_fetched_of_a_model_is_removed_like_the_model(service: Service) -> None:  # noqa: F811
    stopped(service)
    installs = service.installs()
    installs.remove("mini", "owner")
    assert fetched(service.folder) == 0 and service.left == []
    with pytest.raises(ModelNotFound):
        installs.remove("mini", "owner")


def test_what_is_being_installed_stays_and_its_job_is_named(service: Service) -> None:  # noqa: F811
    stopped(service)
    job = SimpleNamespace(id="job_x", payload={"id": "mini"})
    queue = SimpleNamespace(unfinished=lambda kind: [job])
    with pytest.raises(Conflict, match="job_x"):
        service.installs().remove("mini", "owner", queue)  # type: ignore[arg-type]
    assert fetched(service.folder) > 0


def test_what_nobody_went_on_with_for_a_month_goes_at_a_start(service: Service) -> None:  # noqa: F811
    stopped(service)
    shelf = Shelf(service.folder)
    shelf.tidy()
    assert fetched(service.folder) > 0
    long_ago = time.time() - PARTS_KEPT_S - 60
    for file in service.folder.rglob("*"):
        os.utime(file, (long_ago, long_ago))
    shelf.tidy()
    assert fetched(service.folder) == 0


def test_a_link_to_nothing_and_a_file_that_goes_meanwhile_keep_no_service_from_starting(
    service: Service,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopped(service)
    shelf = service.installs().shelf
    (shelf.parts("mini") / "gone").symlink_to(service.folder / "nowhere")
    rglob = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda self, pattern: [*rglob(self, pattern), self / "moved"])
    shelf.tidy()
    assert shelf.part_bytes("mini") > 0


def test_what_is_done_after_the_last_byte_is_told(service: Service) -> None:  # noqa: F811
    context = Told().context()
    said: list[str] = []
    tell = context.progress
    context.progress = lambda step, total, message="", preview_url=None: (
        said.append(message),
        tell(step, total),
    )[1]  # type: ignore[method-assign]
    installs = service.installs()
    installs.run(context, installs.plan("mini").payload())
    assert said[-1] == "mini · 1.5 MB · getting it ready"


class Context:
    def __init__(self) -> None:
        self.told: list[tuple[int, str]] = []

    def progress(self, step: int, total: int, message: str) -> None:
        self.told.append((step, message))


def test_what_an_earlier_try_fetched_does_not_count_as_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: clock.now, now=0.0)
    monkeypatch.setattr(installs_module, "time", clock)
    context = Context()
    meter = _Meter(context, "mini", 10_000_000)  # type: ignore[arg-type]
    meter.at("model.safetensors")
    meter.add(6_000_000)  # which lay there
    clock.now = 2.0
    meter.add(2_000_000)
    assert context.told[-1] == (8_000_000, "mini · model.safetensors · 8.0 / 10.0 MB · 1.0 MB/s")


def test_a_file_that_has_to_be_fetched_again_is_not_counted_twice(service: Service) -> None:  # noqa: F811
    service.hub.faults.wrong = 1
    told = Told()
    install(service, told=told)
    at = [step for step, _ in told.steps]
    assert [after for before, after in pairwise(at) if after < before] == [
        0
    ]  # to where the first file begins
