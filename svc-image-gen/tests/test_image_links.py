"""OpenAI's clients get absolute addresses of pictures, which open for a while to whoever has them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from servicekit.contract import TestKeys, assert_error
from servicekit.jobs import Job
from svc_image_gen.api.orders import Orders


@pytest.fixture
def stranger(anonymous: TestClient) -> Iterator[TestClient]:
    """Who has an address and nothing else."""
    anonymous.headers.pop("Authorization", None)
    yield anonymous
    anonymous.headers.pop("Authorization", None)


def drawn(client: TestClient, keys: TestKeys, user: str = "ana", **headers: str) -> str:
    """Return the address that OpenAI's package gets."""
    ai = openai.OpenAI(api_key=keys.token(user), base_url="http://testserver/v1", http_client=client)
    answer = ai.images.generate(prompt="a star", response_format="url", extra_headers=headers)
    assert answer.data and answer.data[0].url
    return answer.data[0].url


def path_of(url: str) -> str:
    return httpx.URL(url).path


def test_the_address_opens_the_picture_without_credentials(stranger: TestClient, keys: TestKeys) -> None:
    url = drawn(stranger, keys)
    assert url.startswith("http://testserver/media/img_")
    answer = stranger.get(url)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).format == "PNG"
    head = stranger.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["cache-control"] == answer.headers["cache-control"] == "private, no-store"
    own = stranger.get(path_of(url), headers=keys.headers())
    assert own.headers["cache-control"] == "private, max-age=86400"
    assert head.headers["content-length"] == str(len(answer.content))
    part = stranger.get(url, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")


def test_edits_and_variations_answer_such_addresses_too(stranger: TestClient, keys: TestKeys) -> None:
    ai = openai.OpenAI(api_key=keys.token(), base_url="http://testserver/v1", http_client=stranger)
    source = stranger.get(drawn(stranger, keys)).content
    edited = ai.images.edit(image=("a.png", source), prompt="a moon", response_format="url")
    varied = ai.images.create_variation(image=("a.png", source), response_format="url")
    for answer in (edited, varied):
        assert (
            answer.data and answer.data[0].url and answer.data[0].url.startswith("http://testserver/media/")
        )
        assert stranger.get(answer.data[0].url).status_code == 200


def test_the_address_is_signed_though_the_drawing_outlived_the_token_of_its_call(
    stranger: TestClient, keys: TestKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, result = keys.token(jti="short"), Orders.result

    async def slowly(orders: Orders, job: Job) -> dict[str, Any]:
        drawn = await result(orders, job)
        keys.over.add(token)
        return drawn

    monkeypatch.setattr(Orders, "result", slowly)
    ai = openai.OpenAI(api_key=token, base_url="http://testserver/v1", http_client=stranger)
    url = (ai.images.generate(prompt="a star", response_format="url").data or [])[0].url
    assert url and stranger.get(url).status_code == 200


def test_the_older_call_keeps_its_path(stranger: TestClient, keys: TestKeys) -> None:
    answer = stranger.post("/api/generate-image", json={"prompt": "um gato"}, headers=keys.headers())
    assert answer.json()["image_url"].startswith("/media/img_") and "?" not in answer.json()["image_url"]


def test_an_address_opens_nothing_else(stranger: TestClient, keys: TestKeys) -> None:
    mine, other = drawn(stranger, keys), drawn(stranger, keys)
    token = httpx.URL(mine).params["token"]
    assert_error(stranger.get(f"{path_of(other)}?token={token}"), "invalid_credentials")
    assert stranger.delete(mine).status_code == 401
    for path in ("/v1/models", "/v1/jobs", "/v1/images/generations", "/media/", "/media/../v1/jobs"):
        assert stranger.get(f"{path}?token={token}").status_code in (401, 404), path
        bearer = {"Authorization": f"Bearer {token}"}
        assert stranger.get(path, headers=bearer).status_code in (401, 404), path
    assert stranger.get(mine).status_code == 200


def test_a_token_of_an_address_is_no_bearer_even_right_after_it_was_used(
    stranger: TestClient, keys: TestKeys
) -> None:
    url = drawn(stranger, keys)
    token = httpx.URL(url).params["token"]
    assert stranger.get(url).status_code == 200
    for bearer in (token, f"{path_of(url)} {token}", f"path {path_of(url)} {token}", f"media {token}"):
        answer = stranger.get("/v1/jobs", headers={"Authorization": f"Bearer {bearer}"})
        assert answer.status_code == 401, bearer


def test_what_is_altered_expired_or_of_another_kind_opens_nothing(
    stranger: TestClient, keys: TestKeys
) -> None:
    url = drawn(stranger, keys)
    path, token = path_of(url), httpx.URL(url).params["token"]
    head, body, tail = token.split(".")
    wrong = {
        "expired": keys.media_token(path, exp=1),
        "cut": f"{head}.{body}.{tail[:-8]}",
        "another body": f"{head}.{keys.media_token(path, exp=2**40).split('.')[1]}.{tail}",
        "another path": keys.media_token("/media/img_" + "0" * 32),
        "an identity": keys.token(),
        "an identity for the path": keys.token(path=path, cid="key_ana"),
        "several audiences": keys.media_token(path, aud=["oficina/media", "oficina"]),
        "a stranger's": TestKeys().media_token(path),
        "endless": "x" * 5000,
        "empty": "",
    }
    for name, bad in wrong.items():
        answer = stranger.get(f"{path}?token={bad}")
        assert answer.status_code == 401, name
    assert "expired" in stranger.get(f"{path}?token={wrong['expired']}").json()["error"]["message"]
    assert stranger.get(f"{url}&token={token}").status_code == 401  # of two, who knows which one others read


def test_the_owner_reads_it_after_its_time_with_his_credentials(stranger: TestClient, keys: TestKeys) -> None:
    path = path_of(drawn(stranger, keys))
    late = f"{path}?token={keys.media_token(path, exp=1)}"
    assert stranger.get(late, headers=keys.headers("ana")).status_code == 200
    assert stranger.get(late, headers=keys.headers("bia")).status_code == 404


def test_a_signed_address_opens_only_what_belongs_to_who_had_it_signed(
    stranger: TestClient, keys: TestKeys
) -> None:
    path = path_of(drawn(stranger, keys))
    assert stranger.get(f"{path}?token={keys.media_token(path, 'bia')}").status_code == 404


def test_a_deleted_picture_is_gone_and_so_are_those_of_a_suspended_account(
    stranger: TestClient, keys: TestKeys
) -> None:
    url, other = drawn(stranger, keys), drawn(stranger, keys, user="carla")
    assert stranger.delete(path_of(url), headers=keys.headers()).status_code == 204
    assert_error(stranger.get(url), "not_found")
    keys.suspended.add("carla")
    try:
        assert_error(stranger.get(other), "invalid_credentials")
    finally:
        keys.suspended.clear()


def test_through_the_gateway_it_begins_with_what_the_gateway_says(
    stranger: TestClient, keys: TestKeys
) -> None:
    told = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "oficina.example:8443"}
    assert drawn(stranger, keys, **told).startswith("https://oficina.example:8443/media/img_")
    for wrong in ("evil.example/x", "a b", "user@evil.example", "", 'x"'):
        headers = {"X-Forwarded-Host": wrong}
        assert drawn(stranger, keys, **headers).startswith("http://testserver/media/"), wrong


def test_on_the_own_port_nobody_is_believed_what_only_the_gateway_says(
    stranger: TestClient, keys: TestKeys
) -> None:
    headers = {"Authorization": f"Bearer {keys.api_key('images')}", "X-Forwarded-Host": "evil.example"}
    body = {"prompt": "a star", "response_format": "url"}
    answer = stranger.post("/v1/images/generations", json=body, headers=headers)
    assert answer.json()["data"][0]["url"].startswith("http://testserver/media/img_")
