"""Media are whole or absent, belong to one owner and never leave the root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from flask import Flask, g
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicekit import media
from servicekit.auth import Identity, identity_of
from servicekit.errors import NotFound, NotReady, ServiceError
from servicekit.media import MediaStore
from servicekit.media.store import safe_name
from servicekit.retention import Removed

CONTENT = bytes(range(256)) * 4


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "media", "aud")


def test_what_was_put_is_read_back_by_its_owner(store: MediaStore) -> None:
    item = store.put(CONTENT, "audio/wav", "ana", name="Olá.wav")
    found = store.open(item.id, "ana")
    assert found == item and found.path.read_bytes() == CONTENT and store.read(item.id, "ana") == CONTENT
    assert item.url == f"/media/{item.id}" and item.size_bytes == len(CONTENT)


def test_another_user_finds_nothing(store: MediaStore) -> None:
    item = store.put(CONTENT, "audio/wav", "ana")
    for act in (store.open, store.read, store.delete):
        with pytest.raises(NotFound):
            act(item.id, "bob")
    assert store.read(item.id, "ana") == CONTENT and store.list("bob") == []


def test_a_deleted_item_is_gone_with_all_its_files(store: MediaStore) -> None:
    item = store.put(CONTENT, "audio/wav", "ana")
    store.delete(item.id, "ana")
    with pytest.raises(NotFound):
        store.open(item.id, "ana")
    assert list(store.root.iterdir()) == []


def test_the_same_seed_replaces_instead_of_doubling(store: MediaStore) -> None:
    item_id = store.new_id("job-1/0")
    store.put(b"old", "audio/wav", "ana", item_id=item_id)
    store.put(b"new", "audio/wav", "ana", item_id=item_id)
    assert store.read(item_id, "ana") == b"new" and len(store.list("ana")) == 1
    with pytest.raises(NotFound):
        store.put(b"stolen", "audio/wav", "bob", item_id=item_id)


def test_a_write_that_fails_leaves_nothing_behind(store: MediaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotReady) as caught:
        store.put(CONTENT, "audio/wav", "ana")
    assert str(store.root) not in caught.value.message
    assert list(store.root.iterdir()) == []


def test_a_sweep_removes_what_crashed_writes_left_and_nothing_young(store: MediaStore) -> None:
    item = store.put(CONTENT, "audio/wav", "ana")
    draft = store.root / f".{item.id}.wav.0123456789abcdef.tmp"
    orphan = store.root / f"{store.new_id()}.wav"
    for file in (draft, orphan):
        file.write_bytes(b"xx")
    assert store.sweep(7)["leftovers"] == Removed(0, 0), "they may be in the making"
    for file in (draft, orphan):
        os.utime(file, (0, 0))
    assert store.sweep(7) == {"media": Removed(0, 0), "leftovers": Removed(2, 4)}
    assert store.list("ana") == [item] and len(list(store.root.iterdir())) == 2


_names = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        ["../../etc/passwd", "..\\x", "/etc/passwd", "a\0b", ".", "..", "CON", "x" * 5000, "%2e%2e/"]
    ),
    st.builds(lambda n, up: "../" * up + n, st.text(max_size=20), st.integers(1, 5)),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=_names)
def test_no_name_reaches_outside_the_root(store: MediaStore, name: str) -> None:
    before = set(store.root.parent.iterdir())
    item = store.put(b"x", "audio/wav", "ana", name=name)
    assert item.path.resolve().parent == store.root.resolve()
    assert set(store.root.parent.iterdir()) == before
    cleaned = safe_name(name)
    assert (
        cleaned
        and not set(cleaned) & set('/\\\0\r\n"')
        and cleaned not in (".", "..")
        and len(cleaned) <= 100
    )
    for act in (store.open, store.delete):
        with pytest.raises(NotFound):
            act(name, "ana")


def _client(store: MediaStore) -> TestClient:
    app = FastAPI()
    app.include_router(media.router(store))
    app.dependency_overrides[identity_of] = lambda: Identity("ana", "ana", "member", frozenset({"*"}))

    @app.exception_handler(ServiceError)
    async def answer(request: Request, exc: ServiceError) -> JSONResponse:
        return JSONResponse(exc.body(), exc.status)

    return TestClient(app)


def _flask_client(store: MediaStore):  # type: ignore[no-untyped-def]
    app = Flask(__name__)
    app.register_blueprint(media.blueprint(store))
    app.before_request(lambda: setattr(g, "identity", Identity("ana", "ana", "member", frozenset({"*"}))))
    app.register_error_handler(ServiceError, lambda exc: (exc.body(), exc.status))
    return app.test_client()


@pytest.fixture(params=["fastapi", "flask"])
def http(request: pytest.FixtureRequest, store: MediaStore):  # type: ignore[no-untyped-def]
    return _client(store) if request.param == "fastapi" else _flask_client(store)


def test_ranges_are_answered_in_part(http, store: MediaStore) -> None:  # type: ignore[no-untyped-def]
    item = store.put(CONTENT, "audio/wav", "ana")
    answer = http.get(item.url, headers={"Range": "bytes=10-19"})
    body = answer.content if hasattr(answer, "content") else answer.data
    assert answer.status_code == 206 and body == CONTENT[10:20]
    assert answer.headers["content-range"] == f"bytes 10-19/{len(CONTENT)}"


def test_media_are_served_so_that_nothing_in_them_runs(http, store: MediaStore) -> None:  # type: ignore[no-untyped-def]
    item = store.put(b"<script>", "image/png", "ana")
    answer = http.get(item.url)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-type"] == "image/png"


def test_a_deleted_or_foreign_item_is_404(http, store: MediaStore) -> None:  # type: ignore[no-untyped-def]
    foreign, mine = store.put(CONTENT, "audio/wav", "bob"), store.put(CONTENT, "audio/wav", "ana")
    assert http.get(foreign.url).status_code == 404
    assert http.delete(foreign.url).status_code == 404
    assert http.delete(mine.url).status_code == 204
    assert http.get(mine.url).status_code == 404
    assert http.get("/media/..%2f..%2fetc%2fpasswd").status_code == 404
