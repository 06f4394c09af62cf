"""What a service refuses the gateway itself is told with the service's own cause, and when to come again."""

from __future__ import annotations

import pytest
from aiohttp import web

from .test_gateway_whole import DESCRIBE, abilities


def refusing(status: int, headers: dict[str, str] | None = None):
    async def answer(_: web.Request) -> web.Response:
        error = {"message": "It is loading.", "type": "server_error", "param": None, "code": "not_ready"}
        return web.json_response({"error": error}, status=status, headers=headers)

    return answer


@pytest.mark.parametrize(
    ("status", "told", "expected"),
    [
        (503, "37", ("37", None)),
        (429, "9", ("9", None)),
        (429, None, ("1", None)),
        (503, None, (None, "false")),
    ],
)
async def test_a_refusal_of_a_step_says_when_to_come_again(gateway, status, told, expected):
    abilities(gateway.fake)
    headers = {"Retry-After": told} if told else {}
    gateway.fake.routes["/v1/vision/captions"] = refusing(status, headers | {"x-request-id": "r"})
    async with gateway.post(DESCRIBE, json={"image": "aGk=", "stream": False}) as answer:
        assert answer.status == status
        assert (answer.headers.get("Retry-After"), answer.headers.get("x-should-retry")) == expected
        assert (await answer.json())["error"]["message"] == "It is loading."


async def test_a_proxy_that_speaks_while_a_service_restarts_is_asked_again(gateway):
    abilities(gateway.fake)
    gateway.fake.routes["/v1/vision/captions"] = refusing(503)
    async with gateway.post(DESCRIBE, json={"image": "aGk=", "stream": False}) as answer:
        assert answer.status == 503 and "x-should-retry" not in answer.headers
        assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(("status", "says"), [(503, "It is loading."), (404, "There is no such picture")])
async def test_a_kept_picture_that_cannot_be_had_says_why(gateway, status, says):
    abilities(gateway.fake)
    gateway.fake.routes["/media/img_1"] = refusing(status, {"x-request-id": "r"})
    async with gateway.post(DESCRIBE, json={"image_url": "/media/img_1", "stream": False}) as answer:
        body = await answer.json()
        assert answer.status == status and says in body["error"]["message"], body
