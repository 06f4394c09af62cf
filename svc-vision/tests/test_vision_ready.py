"""A model that cannot be loaded keeps the service from being ready only as long as it is there."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from servicekit.errors import NotReady
from servicekit.health import Readiness
from servicekit.models import ModelSlot, warming
from svc_vision.build import _load_all


def broken() -> object:
    raise NotReady("The file is torn.")


async def test_a_broken_model_that_is_removed_is_in_nobodys_way_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warming, "FIRST_PAUSE_S", 0.01)
    slots = {"good": ModelSlot(lambda: "model"), "torn": ModelSlot(broken)}
    readiness = Readiness("svc-vision")
    task = asyncio.create_task(_load_all(SimpleNamespace(slots=slots), readiness))  # type: ignore[arg-type]
    async with asyncio.timeout(60):
        while readiness.report()["reason"] != "The file is torn.":  # noqa: ASYNC110 - polls what a thread does
            await asyncio.sleep(0.01)
        slots.pop("torn").close()
        await task
    assert readiness.ready
