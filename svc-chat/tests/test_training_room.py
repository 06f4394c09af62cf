"""A training asks for memory before it begins, waits while there is none, and gives it back however it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from servicekit.errors import NotReady
from servicekit.models import Memory, NoMemory
from svc_chat.api.tuning_schemas import job_body
from svc_chat.engine.history import Page
from svc_chat.engine.tuning.fake import FakeRoom
from svc_chat.tuning import SharedMemory

from .test_training_ends import DONE, House, Scripted, house

FULL = NoMemory("Held by: a (svc-vision, in use).", retry_after_s=5)


async def asked(here: House, room: FakeRoom, times: int) -> None:
    async with asyncio.timeout(30):
        while room.asked < times:
            here.service.runner.wake()
            await asyncio.sleep(0.01)


async def test_a_training_waits_in_the_queue_and_says_why_until_there_is_room(tmp_path: Path) -> None:
    room, trainer = FakeRoom(FULL), Scripted()
    async with house(tmp_path, trainer, room) as here:
        await here.queue()
        await asked(here, room, 4)
        waiting = await here.service.get("ana", "ftjob-1")
        assert waiting.status == "queued" and not trainer.waits.is_set()
        assert job_body(waiting)["waiting"] == {"code": "no_memory_for_model", "message": FULL.message}
        room.refusal = None
        here.service.runner.wake()
        await here.half_way()
        assert room.held == {"ftjob-1": 7}
        assert job_body(await here.service.get("ana", "ftjob-1"))["waiting"] is None
        trainer.go.set()
        await here.until("succeeded")
        told = await here.service.events("ana", "ftjob-1", Page(50, None, newest_first=False))
        said = [event.message for event in told.rows if "Held by" in event.message]
        assert said == [f"Waiting for memory: {FULL.message}"], "once, not at every try"
    assert room.held == {}


async def test_a_training_that_never_fits_fails_with_the_remedy_and_the_next_one_runs(tmp_path: Path) -> None:
    room = FakeRoom(NoMemory("It needs 9 GiB of 8. Choose a smaller one.", retry_after_s=None))
    async with house(tmp_path, Scripted(), room) as here:
        await here.queue()
        failed = await here.until("failed")
        assert failed.details["error"]["code"] == "no_memory_for_model"
        room.refusal = None
        here.trainer.go.set()
        await here.queue("ftjob-2")
        await here.until("succeeded", "ftjob-2")


@pytest.mark.parametrize("after", [[], [DONE], [{"kind": "failed", "code": "x", "message": "y"}]])
async def test_memory_is_given_back_however_a_training_ends(
    tmp_path: Path, after: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("svc_chat.domain.tuning.runner.RETRY_S", 0.01)
    room, trainer = FakeRoom(), Scripted(after=after)
    trainer.go.set()
    async with house(tmp_path, trainer, room) as here:
        await here.queue()
        await here.until("succeeded" if after == [DONE] else "failed")
    assert room.asked and room.held == {}


async def test_the_service_reports_what_a_training_holds_and_no_more_once_it_is_refused_or_over() -> None:
    refused = False

    def gateway(_: httpx.Request) -> httpx.Response:
        assert [wish["bytes"] for wish in memory.report()["wishes"]] == [5] and not memory.report()["held"]
        error = {"error": {"code": "no_memory_for_model", "message": "full"}}
        return httpx.Response(503, json=error) if refused else httpx.Response(200, json={"granted": True})

    memory = Memory("svc-chat", "http://gateway", client=httpx.Client(transport=httpx.MockTransport(gateway)))
    room = SharedMemory(memory)
    await room.take("ftjob-1", 5)
    held = {"model": "training ftjob-1", "bytes": 5, "in_use": True, "idle_s": 0.0}
    assert memory.report() == {"held": [held], "wishes": []}
    room.give_back("ftjob-1")
    refused = True
    with pytest.raises(NotReady, match="full"):
        await room.take("ftjob-1", 5)
    assert memory.report() == {"held": [], "wishes": []}
