"""Pictures that begin from others: `/v1/images/edits` and `/v1/images/variations`, in OpenAI's shape."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw

from servicekit.contract import TestKeys, assert_error
from svc_image_gen.engine.fake import FakeEngine

EDITS, VARIATIONS = "/v1/images/edits", "/v1/images/variations"
BLUE = (40, 80, 200)


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def blue(width: int = 200, height: int = 100) -> Image.Image:
    return Image.new("RGB", (width, height), BLUE)


def left_open(width: int = 200, height: int = 100) -> Image.Image:
    """A mask whose left half may change."""
    mask = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    ImageDraw.Draw(mask).rectangle((0, 0, width // 2 - 1, height), fill=(0, 0, 0, 0))
    return mask


def edit(client: TestClient, image: bytes | None = None, mask: bytes | None = None, **fields: Any) -> Any:
    files = {"image": ("a.png", image or png(blue()), "image/png")}
    if mask is not None:
        files["mask"] = ("m.png", mask, "image/png")
    return client.post(EDITS, data={"prompt": "a red circle", **fields}, files=files)


def drawn(client: TestClient, answer: Any) -> Image.Image:
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(client.get(answer.json()["data"][0]["url"]).content))


@pytest.fixture
def requests(engine: FakeEngine) -> Iterator[list[Any]]:
    engine.requests.clear()
    yield engine.requests


def test_a_picture_is_changed_in_nearly_its_own_size(client: TestClient, requests: list[Any]) -> None:
    answer = edit(client, seed="7")
    assert drawn(client, answer).size == (200, 96)
    source = requests[0].source
    assert (source.image.size, source.strength, source.mask) == ((200, 96), 0.8, None)
    told = answer.json()["parameters"]
    assert told["strength"] == 0.8
    assert client.get(told["source"]).status_code == 200


def test_only_what_the_mask_leaves_open_changes(client: TestClient, requests: list[Any]) -> None:
    picture = drawn(client, edit(client, mask=png(left_open()), size="128x64"))
    assert requests[0].source.strength == 1.0
    assert picture.getpixel((120, 32)) == BLUE
    assert picture.getpixel((5, 32)) != BLUE


def test_a_picture_that_is_transparent_itself_is_its_own_mask(
    client: TestClient, requests: list[Any]
) -> None:
    picture = Image.new("RGBA", (128, 64), (*BLUE, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 64, 64))
    changed = drawn(client, edit(client, png(picture)))
    assert changed.getpixel((120, 32)) == BLUE
    assert requests[0].source.mask.getpixel((5, 32)) == 255


def test_a_variation_needs_no_prompt(client: TestClient, requests: list[Any]) -> None:
    answer = client.post(VARIATIONS, data={"n": "2"}, files={"image": png(blue())})
    assert len(answer.json()["data"]) == 2
    first, second = requests
    assert (first.prompt, first.guidance_scale, first.source.strength) == ("", 1.0, 0.5)
    assert first.seed != second.seed


@pytest.mark.parametrize(
    ("fields", "image", "mask", "param"),
    [
        ({"prompt": ""}, None, None, "prompt"),
        ({"strength": "0"}, None, None, "strength"),
        ({"size": "7x7"}, None, None, "size"),
        ({"n": "99"}, None, None, "n"),
        ({"model": "nobody"}, None, None, "model"),
        ({}, b"no picture", None, "image"),
        ({}, None, b"no picture", "mask"),
        ({}, None, png(blue()), "mask"),
        ({}, None, png(left_open(20, 10)), "mask"),
    ],
)
def test_what_is_wrong_is_said(
    client: TestClient, fields: dict[str, str], image: bytes | None, mask: bytes | None, param: str
) -> None:
    answer = edit(client, image, mask, **fields)
    assert answer.status_code in (400, 404), answer.text
    assert_error(answer)
    assert answer.json()["error"]["param"] == param


def test_no_picture_several_and_no_form_are_refused(client: TestClient) -> None:
    assert_error(client.post(EDITS, data={"prompt": "x"}, files={"mask": png(left_open())}), "missing_image")
    many = [("image[]", png(blue())), ("image[]", png(blue()))]
    assert client.post(EDITS, data={"prompt": "x"}, files=many).status_code == 400
    assert client.post(EDITS, json={"prompt": "x"}).status_code == 415


def test_the_same_key_draws_once(client: TestClient, requests: list[Any]) -> None:
    for _ in range(2):
        answer = client.post(
            EDITS, data={"prompt": "x"}, files={"image": png(blue())}, headers={"Idempotency-Key": "edit-1"}
        )
        assert answer.status_code == 200
    assert len(requests) == 1


def test_what_was_sent_is_its_owners_alone(client: TestClient, keys: TestKeys) -> None:
    source = edit(client).json()["parameters"]["source"]
    assert client.get(source, headers=keys.headers("bia")).status_code == 404


def test_the_official_client_changes_a_picture(client: TestClient) -> None:
    official = openai.OpenAI(
        base_url="http://testserver/v1",
        api_key=client.headers["Authorization"].removeprefix("Bearer "),
        http_client=client,
        max_retries=0,
    )
    image = ("a.png", png(blue()), "image/png")
    edited = official.images.edit(image=image, prompt="a red circle", response_format="b64_json", n=2)
    assert edited.data is not None and len(edited.data) == 2 and edited.data[0].b64_json
    varied = official.images.create_variation(image=image, size="256x256")
    assert varied.data is not None and varied.data[0].url
