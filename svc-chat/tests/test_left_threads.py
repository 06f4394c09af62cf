"""Who leaves while something is made for them has asked for nothing, until the last word is written: that holds."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from svc_chat.app import create_app
from svc_chat.engine.store_responses import SqlResponses
from svc_chat.engine.store_runs import SqlRuns
from svc_chat.engine.store_threads import SqlAssistants, SqlThreads
from svc_chat.engine.tools_base import Bearer
from svc_chat.settings import Settings

from .assisting import WEATHER, Turns, call
from .test_run_tools import Search

TOOLS = [{"type": "file_search"}]
HEADERS = {"host": "testserver", "content-type": "application/json"}


class Slow(Search):
    """Makes a store, and tells of it once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()
        self.paused_at = ""

    async def make_store(self, file_ids: Sequence[str], options: Any, bearer: Bearer) -> str:
        self.begun.set()
        await self.go.wait()
        return await super().make_store(file_ids, options, bearer)

    def pause_at(self, file_id: str) -> None:
        """Tell when this file is added to a store, and take a while for it."""
        self.begun.clear()
        self.paused_at = file_id

    async def add_file(self, store_id: str, file_id: str, bearer: Bearer) -> bool:
        new = await super().add_file(store_id, file_id, bearer)
        if file_id == self.paused_at:
            self.begun.set()
            for _ in range(100):
                await asyncio.sleep(0)
        return new

    async def delete_store(self, store_id: str, bearer: Bearer) -> None:
        self.begun.set()
        await self.go.wait()
        await super().delete_store(store_id, bearer)


class Never:
    """Is asked for a lasting permission, and does not answer."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def for_work(self, bearer: Bearer, seconds: float) -> dict[str, str]:
        self.begun.set()
        await asyncio.Event().wait()
        return {}

    async def close(self) -> None:
        return None


class House:
    """A service with a file, and callers who leave it."""

    def __init__(self, folder: Path):
        self.search, self.delegation, self.engine = Slow(), Never(), Turns("ok")
        settings = Settings(data_dir=folder, auth="off", allowed_hosts=("testserver",), vision_url="")
        self.app = create_app(settings, self.engine, tools=(self.search, None), delegation=self.delegation)
        transport = httpx.ASGITransport(self.app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://testserver/v1")

    async def file(self) -> str:
        sent = {"file": ("a.txt", b"text")}
        answer = await self.http.post("/files", files=sent, data={"purpose": "assistants"})
        return str(answer.json()["id"])

    async def left(self, path: str, body: Any, when: asyncio.Event) -> None:
        """Ask, and leave at `when`; returns once the service has done with it."""
        sent = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

        async def receive() -> dict[str, Any]:
            if sent:
                return sent.pop()
            await when.wait()
            return {"type": "http.disconnect"}

        async def send(_: Any) -> None:
            return None

        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
                 "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers,
                 "scheme": "http", "server": ("testserver", 80), "client": ("test", 1), "root_path": ""}  # fmt: skip
        await self.app(scope, receive, send)  # type: ignore[arg-type]

    async def thread(self) -> str:
        return str((await self.http.post("/threads", json={})).json()["id"])

    async def assistant(self) -> str:
        made = await self.http.post("/assistants", json={"model": "gpt-4o", "tools": TOOLS})
        return str(made.json()["id"])

    async def run(self, thread_id: str, status: str) -> Any:
        """Wait until the thread's run has a status, and return it."""
        async with asyncio.timeout(60):
            while True:
                (run,) = await self.there(f"threads/{thread_id}/runs")
                if run["status"] == status:
                    return run
                await asyncio.sleep(0.05)

    async def resources(self, thread_id: str) -> Any:
        return (await self.http.get(f"/threads/{thread_id}")).json()["tool_resources"]

    async def there(self, what: str) -> list[Any]:
        found: list[Any] = (await self.http.get(f"/{what}")).json()["data"]
        return found


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    async with asyncio.timeout(120), made.app.router.lifespan_context(made.app), made.http:
        yield made


def wanted(file_id: str) -> dict[str, Any]:
    return {"file_search": {"vector_stores": [{"file_ids": [file_id]}]}}


def attached(*file_ids: str) -> dict[str, Any]:
    attachments = [{"file_id": file_id, "tools": TOOLS} for file_id in file_ids]
    return {"role": "user", "content": "x", "attachments": attachments}


@dataclass
class Pause:
    """A call of a store that tells when it has begun, and ends once it is let go."""

    begun: asyncio.Event
    go: threading.Event
    asked: list[Any]

    @classmethod
    def of(cls, monkeypatch: pytest.MonkeyPatch, store: type, name: str) -> Pause:
        pause, loop, call = (
            cls(asyncio.Event(), threading.Event(), []),
            asyncio.get_running_loop(),
            getattr(store, name),
        )

        def slowly(*asked: Any) -> Any:
            pause.asked.extend(asked)
            done = call(*asked)
            loop.call_soon_threadsafe(pause.begun.set)
            assert pause.go.wait(60)
            return done

        monkeypatch.setattr(store, name, slowly)
        return pause

    async def outlast(self, leaving: asyncio.Task[Any]) -> None:
        """Let the service see that somebody leaves, and then the call end."""
        await self.begun.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        self.go.set()
        await leaving


@pytest.mark.parametrize("what", ["threads", "assistants"])
async def test_a_store_that_was_just_being_made_goes_again(house: House, what: str) -> None:
    body = {"model": "gpt-4o", "tools": TOOLS} if what == "assistants" else {}
    body["tool_resources"] = wanted(await house.file())
    house.search.go.clear()
    leaving = asyncio.create_task(house.left(f"/v1/{what}", body, house.search.begun))
    await house.search.begun.wait()
    for _ in range(100):  # the service has seen it, and still has no id of a store to remove
        await asyncio.sleep(0)
    house.search.go.set()
    await leaving
    assert house.search.deleted == ["vs_1"] and len(house.search.made) == 1
    assert await house.there(what) == []


async def test_a_thread_and_its_store_go_when_the_caller_leaves_before_the_run(house: House) -> None:
    file_id = await house.file()
    assistant = (await house.http.post("/assistants", json={"model": "gpt-4o", "tools": TOOLS})).json()
    message = {"role": "user", "content": "x", "attachments": [{"file_id": file_id, "tools": TOOLS}]}
    thread = {"messages": [message], "tool_resources": {}}
    body = {"assistant_id": assistant["id"], "thread": thread}
    await house.left("/v1/threads/runs", body, house.delegation.begun)
    assert house.delegation.begun.is_set() and house.search.deleted == ["vs_1"]
    assert await house.there("threads") == []


async def test_who_leaves_while_the_last_word_is_written_keeps_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = Pause.of(monkeypatch, SqlAssistants, "add")
    body = {"model": "gpt-4o", "tools": TOOLS, "tool_resources": wanted(await house.file())}
    await pause.outlast(asyncio.create_task(house.left("/v1/assistants", body, pause.begun)))
    (kept,) = await house.there("assistants")
    assert kept["tool_resources"]["file_search"]["vector_store_ids"] == ["vs_1"]
    assert house.search.deleted == []


async def test_a_message_and_its_store_go_when_the_caller_leaves_before_it_is_added(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_id, file_id = await house.thread(), await house.file()
    pause = Pause.of(monkeypatch, SqlThreads, "change")  # the thread has the store, and not yet the message
    leaving = house.left(f"/v1/threads/{thread_id}/messages", attached(file_id), pause.begun)
    await pause.outlast(asyncio.create_task(leaving))
    assert house.search.deleted == ["vs_1"] and await house.resources(thread_id) == {}
    assert await house.there(f"threads/{thread_id}/messages") == []


async def test_files_that_a_message_added_go_from_a_store_and_those_that_were_there_stay(
    house: House,
) -> None:
    thread_id, first, second = await house.thread(), await house.file(), await house.file()
    path = f"/threads/{thread_id}/messages"
    for file_id in (first, second):
        await house.http.post(path, json=attached(file_id))
    third = await house.file()
    house.search.pause_at(third)
    await house.left(f"/v1{path}", attached(second, third), house.search.begun)
    assert house.search.deleted == [f"vs_1/{third}"] and len(await house.there(path[1:])) == 2


async def test_a_message_that_is_just_being_added_stays_with_its_store(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_id, file_id = await house.thread(), await house.file()
    pause = Pause.of(monkeypatch, SqlThreads, "add_message")
    leaving = house.left(f"/v1/threads/{thread_id}/messages", attached(file_id), pause.begun)
    await pause.outlast(asyncio.create_task(leaving))
    assert house.search.deleted == []
    assert (await house.resources(thread_id))["file_search"]["vector_store_ids"] == ["vs_1"]
    assert len(await house.there(f"threads/{thread_id}/messages")) == 1


async def test_nothing_stays_when_the_caller_leaves_before_a_run_on_a_thread_that_is_there(
    house: House,
) -> None:
    thread_id, file_id, assistant_id = await house.thread(), await house.file(), await house.assistant()
    body = {"assistant_id": assistant_id, "additional_messages": [attached(file_id)]}
    await house.left(f"/v1/threads/{thread_id}/runs", body, house.delegation.begun)
    assert house.delegation.begun.is_set() and house.search.deleted == ["vs_1"]
    assert await house.resources(thread_id) == {}
    for what in ("messages", "runs"):
        assert await house.there(f"threads/{thread_id}/{what}") == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_run_that_is_just_being_kept_goes_on_to_its_end(
    house: House, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    thread_id = await house.thread()
    assistant = (await house.http.post("/assistants", json={"model": "gpt-4o"})).json()
    pause = Pause.of(monkeypatch, SqlRuns, "add")
    body = {"assistant_id": assistant["id"], "additional_messages": [attached()], "stream": stream}
    await pause.outlast(asyncio.create_task(house.left(f"/v1/threads/{thread_id}/runs", body, pause.begun)))
    await house.run(thread_id, "completed")
    assert len(await house.there(f"threads/{thread_id}/messages")) == 2


async def test_a_run_goes_on_with_what_its_functions_gave_though_the_time_of_the_call_is_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.engine.texts = (call("weather", city="Recife"), "Sunny.")
    thread_id = await house.thread()
    made = await house.http.post("/assistants", json={"model": "gpt-4o", "tools": [WEATHER]})
    body = {"assistant_id": made.json()["id"], "additional_messages": [attached()]}
    run_id = (await house.http.post(f"/threads/{thread_id}/runs", json=body)).json()["id"]
    run = await house.run(thread_id, "requires_action")
    (wanted,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    pause = Pause.of(monkeypatch, SqlRuns, "move")
    outputs = {"tool_outputs": [{"tool_call_id": wanted["id"], "output": "sunny"}]}
    path = f"/threads/{thread_id}/runs/{run_id}/submit_tool_outputs"
    giving = asyncio.create_task(house.http.post(path, json=outputs))
    await pause.begun.wait()
    giving.cancel()  # as the end of the call's time does
    with pytest.raises(asyncio.CancelledError):
        await pause.outlast(giving)
    await house.run(thread_id, "completed")


async def test_a_thread_whose_removal_has_begun_is_removed_whole_though_the_time_of_the_call_is_over(
    house: House,
) -> None:
    thread_id = await house.thread()
    await house.http.post(f"/threads/{thread_id}/messages", json=attached(await house.file()))
    house.search.begun.clear()
    house.search.go.clear()
    removing = asyncio.create_task(house.http.delete(f"/threads/{thread_id}"))
    await house.search.begun.wait()
    removing.cancel()
    await asyncio.sleep(0)
    house.search.go.set()
    with pytest.raises(asyncio.CancelledError):
        await removing
    assert house.search.deleted == ["vs_1"] and await house.there("threads") == []


async def test_an_answer_in_the_background_that_is_just_being_kept_is_written_to_its_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = Pause.of(monkeypatch, SqlResponses, "add")
    body = {"model": "gpt-4o", "input": "x", "background": True}
    await pause.outlast(asyncio.create_task(house.left("/v1/responses", body, pause.begun)))
    path = f"/responses/{pause.asked[1].id}"
    async with asyncio.timeout(60):
        while (await house.http.get(path)).json()["status"] != "completed":  # noqa: ASYNC110 (polled)
            await asyncio.sleep(0.05)
