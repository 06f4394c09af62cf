"""Sounds open to whoever has an address that their owner had signed, and to nobody else."""

from __future__ import annotations

from pathlib import Path

from servicekit.contract import FlaskClient, TestKeys, assert_error
from svc_tts.app import create_app
from svc_tts.engine.fake import FakeEngine
from svc_tts.settings import Settings


def test_a_signed_address_opens_a_sound_and_nothing_else(tmp_path: Path) -> None:
    keys, settings = TestKeys(), Settings(data_dir=tmp_path, allowed_hosts=("localhost",))
    client = FlaskClient(create_app(settings, [FakeEngine()], keys.authenticator(settings)))
    first, second = (
        client.post("/text-to-audio", headers=keys.headers("ana"), json={"text": "oi"}).json()["media_id"]
        for _ in range(2)
    )
    path = f"/media/{first}"
    token = keys.media_token(path)
    read = client.get(f"{path}?token={token}", headers={"Range": "bytes=0-3"})
    assert (read.status_code, read.content) == (206, b"RIFF")
    assert read.headers["cache-control"] == "private, no-store"
    assert client.get(path, headers=keys.headers("ana")).headers["cache-control"] == "private, max-age=86400"
    for wrong in (path, f"/media/{second}?token={token}", f"{path}?token={keys.media_token(path, exp=1)}",
                  f"/v1/audio/voices?token={token}", f"/audio/{first}.wav?token={token}"):  # fmt: skip
        assert_error(client.get(wrong), "invalid_credentials")
    assert client.request("DELETE", f"{path}?token={token}").status_code == 401
    assert client.get(f"{path}?token={keys.media_token(path, 'bia')}").status_code == 404
