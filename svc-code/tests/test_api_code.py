"""The HTTP routes over fake sandboxes: owners, files, limits, streams."""

from __future__ import annotations

import json
import threading
import time

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import TestKeys, assert_error
from svc_code.engine.fake import FakeHost

RUN = "/v1/sessions/t1/execute"


def _run(
    client: TestClient, keys: TestKeys, code: str, user: str = "ana", thread: str = "t1", **more: object
):
    body = {"code": code, **more}
    return client.post(f"/v1/sessions/{thread}/execute", json=body, headers=keys.headers(user))


def _until(true, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def test_the_answer_of_an_execution_has_every_field(client: TestClient, keys: TestKeys) -> None:
    answer = _run(client, keys, "hello").json()
    assert answer["stdout"] == "hello"
    assert {
        "session",
        "stderr",
        "result",
        "error",
        "files",
        "charts",
        "timed_out",
        "stopped",
    } <= answer.keys()
    assert {"restarted", "truncated", "usage"} <= answer.keys()
    assert answer["timed_out"] is False


def test_a_session_lives_on_under_one_token(client: TestClient, keys: TestKeys) -> None:
    first, second = (_run(client, keys, "a").json()["session"] for _ in range(2))
    assert first == second


def test_a_session_whose_sandbox_ended_begins_anew_and_says_so(client: TestClient, keys: TestKeys) -> None:
    before = _run(client, keys, "die").json()["session"]["token"]
    assert client.get("/v1/sessions/t1", headers=keys.headers()).status_code == 404
    assert _run(client, keys, "a").json()["session"]["token"] != before


def test_another_user_finds_neither_session_nor_file(client: TestClient, keys: TestKeys) -> None:
    ana, bia = keys.headers("ana"), keys.headers("bia")
    client.put("/v1/sessions/t1/files/a.csv", content=b"secret", headers=ana)
    for method, path in [
        ("GET", "/v1/sessions/t1"),
        ("DELETE", "/v1/sessions/t1"),
        ("POST", "/v1/sessions/t1/interrupt"),
        ("GET", "/v1/sessions/t1/files"),
        ("GET", "/v1/sessions/t1/files/a.csv"),
        ("DELETE", "/v1/sessions/t1/files/a.csv"),
    ]:
        answer = client.request(method, path, headers=bia)
        assert answer.status_code == 404, (method, path)
        assert_error(answer, "session_not_found")
    assert client.get("/v1/sessions", headers=bia).json()["data"] == []
    assert client.get("/v1/sessions/t1/files/a.csv", headers=ana).content == b"secret"


def test_the_same_id_of_two_users_is_two_sessions(client: TestClient, keys: TestKeys) -> None:
    tokens = {_run(client, keys, "a", user).json()["session"]["token"] for user in ("ana", "bia")}
    assert len(tokens) == 2


def test_a_file_goes_in_is_listed_comes_out_and_goes(client: TestClient, keys: TestKeys) -> None:
    headers, content = keys.headers(), bytes(range(256)) * 2000
    sent = {**headers, "content-type": "application/octet-stream"}
    made = client.put("/v1/sessions/t1/files/in/dados é.csv", content=content, headers=sent)
    assert made.status_code == 201
    assert made.json() == {"name": "in/dados é.csv", "size": len(content), "media_type": "text/csv"}
    listed = client.get("/v1/sessions/t1/files", headers=headers).json()["data"]
    assert listed == [made.json()]
    answer = client.get("/v1/sessions/t1/files/in/dados é.csv", headers=headers)
    assert answer.content == content
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.delete("/v1/sessions/t1/files/in/dados é.csv", headers=headers).status_code == 204
    assert_error(client.get("/v1/sessions/t1/files/in/dados é.csv", headers=headers), "file_not_found")


@pytest.mark.parametrize(
    "name",
    ["%2e%2e/x", "a/%2e%2e/%2e%2e/x", "%2fetc/passwd", ".hidden", "a/.ssh/x", "x%00y", "x%0ay", "a%5cb", "%20x", "a" * 256,
     "é" * 128, "a/b/c/d/e/f/g", "x/"],
)  # fmt: skip
def test_a_hostile_file_name_is_refused(client: TestClient, keys: TestKeys, name: str) -> None:
    answer = client.put(f"/v1/sessions/t1/files/{name}", content=b"x", headers=keys.headers())
    assert answer.status_code in (400, 404)
    assert_error(answer)
    assert client.get("/v1/sessions/t1/files", headers=keys.headers()).status_code == 404


@pytest.mark.parametrize("thread", ["..", "a b", "a/b", "é", ".x", "a" * 129, "%00"])
def test_a_hostile_session_id_is_refused(client: TestClient, keys: TestKeys, thread: str) -> None:
    answer = _run(client, keys, "a", thread=thread)
    assert answer.status_code in (400, 404, 405)
    assert_error(answer)


def test_an_upload_over_the_disk_is_refused_and_leaves_nothing(client: TestClient, keys: TestKeys) -> None:
    answer = client.put(
        "/v1/sessions/t1/files/big.bin", content=b"x" * (5 * 1024 * 1024), headers=keys.headers()
    )
    assert answer.status_code == 413
    assert_error(answer, "session_disk_full")
    assert client.get("/v1/sessions/t1/files", headers=keys.headers()).json()["data"] == []


def test_values_beyond_the_limits_are_named(client: TestClient, keys: TestKeys) -> None:
    for body, code, param in [
        ({"code": "x" * 100_001}, "code_too_long", "code"),
        ({"code": "a", "timeout_s": 121}, "invalid_value", "timeout_s"),
        ({"code": "a", "timeout_s": -1}, "invalid_request", "timeout_s"),
        ({"code": "a\ud800"}, "invalid_request", None),
        ({"timeout_s": 1}, "invalid_request", "code"),
    ]:
        headers = {**keys.headers(), "content-type": "application/json"}
        answer = client.post(RUN, content=json.dumps(body), headers=headers)
        assert 400 <= answer.status_code < 500
        assert_error(answer, code)
        assert answer.json()["error"]["param"] == param


def test_output_is_told_as_it_comes_and_the_end_with_everything(client: TestClient, keys: TestKeys) -> None:
    answer = _run(client, keys, "hello", stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [block.split("\n") for block in answer.text.strip().split("\n\n") if not block.startswith(":")]
    assert [lines[0] for lines in events] == ["event: output", "event: done"]
    assert json.loads(events[0][1][6:]) == {"stream": "stdout", "text": "hello"}
    assert json.loads(events[1][1][6:])["stdout"] == "hello"


def test_a_session_runs_one_thing_at_a_time_and_can_be_interrupted(
    client: TestClient, keys: TestKeys
) -> None:
    ended = []
    first = threading.Thread(target=lambda: ended.append(_run(client, keys, "sleep").json()))
    first.start()
    try:
        _until(lambda: client.get("/v1/sessions/t1", headers=keys.headers()).json().get("running") is True)
        for stream in (False, True):
            busy = _run(client, keys, "a", stream=stream)
            assert busy.status_code == 429
            assert int(busy.headers["retry-after"]) >= 1
            assert_error(busy, "session_busy")
        stopped = client.post("/v1/sessions/t1/interrupt", headers=keys.headers()).json()
        assert stopped == {"interrupted": True}
    finally:
        first.join(30)
    assert ended[0]["stopped"] == "interrupted"


def test_a_timeout_is_told(client: TestClient, keys: TestKeys) -> None:
    answer = _run(client, keys, "sleep", timeout_s=0.1).json()
    assert answer["timed_out"] is True
    assert answer["stopped"] == "timeout"


def test_more_sessions_than_there_may_be_are_refused_with_a_time_to_wait(
    client: TestClient, keys: TestKeys, host: FakeHost
) -> None:
    for thread in ("t1", "t2"):
        assert _run(client, keys, "a", thread=thread).status_code == 200
    answer = _run(client, keys, "a", thread="t3")
    assert answer.status_code == 429
    assert_error(answer, "too_many_sessions")
    assert int(answer.headers["retry-after"]) >= 1
    assert client.delete("/v1/sessions/t1", headers=keys.headers()).status_code == 204
    assert _run(client, keys, "a", thread="t3").status_code == 200
    assert sum(sandbox.alive for sandbox in host.started) <= 3


def test_a_deleted_session_is_gone_with_its_files(client: TestClient, keys: TestKeys) -> None:
    client.put("/v1/sessions/t1/files/a.csv", content=b"1", headers=keys.headers())
    assert client.delete("/v1/sessions/t1", headers=keys.headers()).status_code == 204
    _run(client, keys, "a")
    assert client.get("/v1/sessions/t1/files", headers=keys.headers()).json()["data"] == []


def test_a_key_that_may_not_chat_may_not_run_code(client: TestClient, keys: TestKeys) -> None:
    answer = client.post(RUN, json={"code": "a"}, headers=keys.headers(scopes=["translate"]))
    assert answer.status_code == 403
    assert_error(answer, "not_allowed")
    assert client.post(RUN, json={"code": "a"}, headers=keys.headers(scopes=["chat"])).status_code == 200
