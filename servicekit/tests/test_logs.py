"""When log lines are written, and that the quick line of a request is like any other."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
import time
import weakref

import pytest

from servicekit.logs import JsonFormatter, LineHandler, RequestLog, request_id_var


class Pipe(io.StringIO):
    """Remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return len(text)


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


@pytest.fixture
def log(pipe: Pipe) -> logging.Logger:
    logger = logging.Logger("a logger of its own", logging.INFO)
    handler = LineHandler(pipe)
    handler.setFormatter(JsonFormatter("svc-x"))
    logger.addHandler(handler)
    return logger


def messages(write: str) -> list[str]:
    return [json.loads(line)["message"] for line in write.splitlines()]


async def test_lines_of_one_turn_are_one_write(log: logging.Logger, pipe: Pipe) -> None:
    for turn in ("a", "b"):
        for number in range(3):
            log.info("%s%d", turn, number)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert [messages(write) for write in pipe.writes] == [["a0", "a1", "a2"], ["b0", "b1", "b2"]]


async def test_a_warning_waits_for_nothing_and_comes_in_its_place(log: logging.Logger, pipe: Pipe) -> None:
    log.info("first")
    log.warning("second")
    assert [messages(write) for write in pipe.writes] == [["first", "second"]]


async def test_a_thread_writes_at_once_and_in_order(log: logging.Logger, pipe: Pipe) -> None:
    log.info("first")
    thread = threading.Thread(target=log.info, args=["second"])
    thread.start()
    thread.join()
    log.info("third")
    assert [messages(write) for write in pipe.writes] == [["first", "second"]]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [messages(write) for write in pipe.writes] == [["first", "second"], ["third"]]


def test_without_a_loop_each_line_is_written_at_once(log: logging.Logger, pipe: Pipe) -> None:
    log.info("first")
    assert [messages(write) for write in pipe.writes] == [["first"]]


def test_lines_of_a_loop_that_ended_are_not_lost(log: logging.Logger, pipe: Pipe) -> None:
    loop = asyncio.new_event_loop()
    loop.call_soon(lambda: (loop.stop(), log.info("first")))
    loop.run_forever()
    loop.close()
    logging.shutdown([weakref.ref(log.handlers[0])])
    assert [messages(write) for write in pipe.writes] == [["first"]]

    asyncio.run(_say(log, "second"))
    assert [messages(write) for write in pipe.writes] == [["first"], ["second"]]


async def _say(log: logging.Logger, message: str) -> None:
    log.info(message)
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_the_line_of_a_request_is_like_any_other(log: logging.Logger, pipe: Pipe) -> None:
    began = time.time()
    token = request_id_var.set("r1")
    requests = RequestLog(log, "edge")
    for status in (200, 404):
        requests.add({"status": status})
    request_id_var.reset(token)
    first, second = (json.loads(write) for write in pipe.writes)
    usual = {"level": "INFO", "message": "request", "module": "edge", "function": "edge", "service": "svc-x"}
    assert first == usual | {"timestamp": first["timestamp"], "request_id": "r1", "status": 200}
    assert second["status"] == 404
    stamp = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(began))
    assert first["timestamp"][:16] >= stamp


def test_a_request_is_not_logged_when_nobody_wants_it(log: logging.Logger, pipe: Pipe) -> None:
    log.setLevel(logging.WARNING)
    RequestLog(log, "edge").add({"status": 200})
    assert pipe.writes == []
