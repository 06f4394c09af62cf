"""What lets a run act for its caller is written down sealed: no database, copy or backup of it holds a token."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from deploy.backup import contents
from svc_chat.app import create_app
from svc_chat.assistants import PERMITS_KEY
from svc_chat.domain.assistants.permits import Permits
from svc_chat.engine.seal import Seal
from svc_chat.engine.threads import StoredRun
from svc_chat.engine.tools_base import Bearer, CodeResult
from svc_chat.settings import Settings

from .assisting import WEATHER, Turns, call, official
from .test_run_tools import Interpreter

TOKEN = "eyJkZWxlZ2F0ZWQi.lasting.signature"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


class Gateway:
    """Gives every run the same permission."""

    async def for_work(self, bearer: Bearer, seconds: float) -> Bearer:
        return HEADERS

    async def close(self) -> None:
        return None


class Asked(Interpreter):
    """Remembers in whose name code was run."""

    def __init__(self) -> None:
        super().__init__(CodeResult("42", ()))
        self.bearers: list[Bearer] = []

    async def run(self, session_id: str, code: str, files: Any, bearer: Bearer) -> CodeResult:
        self.bearers.append(bearer)
        return await super().run(session_id, code, files, bearer)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Asked], Any]]:
    """Return a function that starts the service on one data folder again and again."""
    opened: list[TestClient] = []

    def begin(interpreter: Asked) -> Any:
        for client in opened:
            client.__exit__(None, None, None)
        engine = Turns(call("weather", city="Recife"), call("python", code="print(42)"), "done")
        settings = Settings(data_dir=tmp_path, auth="off", allowed_hosts=("testserver",), vision_url="")
        app = create_app(settings, engine, tools=(None, interpreter), delegation=Gateway())
        opened[:] = [TestClient(app)]
        opened[0].__enter__()
        return official(opened[0]).beta

    yield begin
    for client in opened:
        client.__exit__(None, None, None)


def waiting(beta: Any) -> Any:
    """Return a run that waits for its caller, and will act for them."""
    tools = [WEATHER, {"type": "code_interpreter"}]
    assistant = beta.assistants.create(model="gpt-4o", tools=tools)
    run = beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "go"}]}
    )
    assert run.status == "requires_action"
    return run


def go_on(beta: Any, run: Any) -> Any:
    (asked,) = run.required_action.submit_tool_outputs.tool_calls
    outputs = [{"tool_call_id": asked.id, "output": "sun"}]
    return beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs
    )


def test_while_a_run_waits_no_file_holds_its_token_and_a_restart_finds_it(
    start: Callable[[Asked], Any], tmp_path: Path
) -> None:
    run = waiting(start(Asked()))
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(run.id.encode() in file.read_bytes() for file in files), "the run is kept"
    secrets = (TOKEN.encode(), json.dumps(TOKEN).encode(), b"Bearer ")
    assert not [file for file in files if any(secret in file.read_bytes() for secret in secrets)]
    after = Asked()
    assert go_on(start(after), run).status == "completed"
    assert after.bearers == [HEADERS]


def test_without_its_key_a_run_goes_on_with_what_its_caller_sends(
    start: Callable[[Asked], Any], tmp_path: Path
) -> None:
    run = waiting(start(Asked()))
    (tmp_path / PERMITS_KEY).unlink()
    after = Asked()
    assert go_on(start(after), run).status == "completed"
    assert after.bearers == [{}], "nobody calls with a token here"


def test_a_backup_leaves_the_key_out(start: Callable[[Asked], Any], tmp_path: Path) -> None:
    waiting(start(Asked()))
    kept = {file.name for file in contents.files(tmp_path)}
    assert (tmp_path / PERMITS_KEY).is_file() and "service.db" in kept and PERMITS_KEY not in kept


def run_with(**body: Any) -> StoredRun:
    return StoredRun("run_1", "ana", "thread_1", body, {}, 1, 0.0, 1.0)


async def test_a_run_of_an_older_version_keeps_its_permission(tmp_path: Path) -> None:
    permits = Permits(Gateway(), Seal(tmp_path / "key"))
    assert await permits.opened(run_with(_delegated=HEADERS)) == HEADERS
    assert await permits.opened(run_with(_delegated=None)) is None
    assert await permits.opened(run_with()) is None


async def test_a_permission_opens_for_its_own_run_alone(tmp_path: Path) -> None:
    permits = Permits(Gateway(), Seal(tmp_path / "key"))
    mine, others = [await permits.sealed(id_, {}, 1) for id_ in ("run_1", "run_2")]
    assert await permits.opened(run_with(_permit=mine)) == HEADERS
    assert await permits.opened(run_with(_permit=others)) is None


def test_a_seal_is_opened_by_its_own_key_for_its_own_place(tmp_path: Path) -> None:
    first, again, other = (Seal(tmp_path / name) for name in ("key", "key", "other"))
    sealed = first.close("olá", "run_1")
    assert "ol" not in sealed and sealed != first.close("olá", "run_1")
    assert (first.open(sealed, "run_1"), again.open(sealed, "run_1")) == ("olá", "olá")
    changed = sealed[:-6] + ("AAAA" if sealed[-6:-2] != "AAAA" else "BBBB") + sealed[-2:]
    for wrong in (first.open(sealed, "run_2"), other.open(sealed, "run_1"), first.open(changed, "run_1"),
                  first.open("", "run_1"), first.open("no base64!", "run_1")):  # fmt: skip
        assert wrong is None
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_was_damaged_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"short")
    sealed = Seal(file).close("x", "run_1")
    assert Seal(file).open(sealed, "run_1") == "x" and len(file.read_bytes()) == 32
