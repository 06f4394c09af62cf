"""Several servers of other makes at once: each has a name, which stands before its models'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from svc_chat.app import create_app
from svc_chat.build import build_engine
from svc_chat.settings import Settings


def settings_with(tmp_path: Path, **more: Any) -> Settings:
    here = {
        "data_dir": tmp_path,
        "auth": "off",
        "allowed_hosts": ("testserver",),
        "vision_url": "",
        "rag_url": "",
    }
    return Settings(**{**here, **more})


def test_the_same_model_of_two_servers_is_two_models_and_each_is_asked_by_its_own_name(
    tmp_path: Path, other: Any
) -> None:
    url = f"{other.url}/v1"
    settings = settings_with(tmp_path, openai_base_url=f"den={url}, attic={url}/", openai_api_key="one,two",
                             ollama_host=f"box={other.url}")  # fmt: skip
    other.pieces = list(other.OPENAI_TEXT)
    with TestClient(create_app(settings)) as client:
        rows = {row["id"]: row["owned_by"] for row in client.get("/v1/models").json()["data"]}
        wanted = {"den/big": "den", "den/eyes": "den", "attic/big": "attic", "attic/eyes": "attic",
                  "box/big": "box", "box/llava:7b": "box"}  # fmt: skip
        assert wanted.items() <= rows.items() and "big" not in rows
        body = {"model": "attic/big", "messages": [{"role": "user", "content": "hi"}]}
        said = client.post("/v1/chat/completions", json=body).json()
    assert (said["model"], said["choices"][0]["message"]["content"]) == ("attic/big", "Hello")
    assert [asked["model"] for asked in other.asked] == ["big"]


async def test_one_server_without_a_name_keeps_the_names_of_its_models(tmp_path: Path, other: Any) -> None:
    engine = build_engine(settings_with(tmp_path, openai_base_url=f"{other.url}/v1", openai_api_key="a,b"))
    ids = [model.id for model in await engine.models()]
    await engine.close()
    assert {"big", "eyes"} <= set(ids)


async def test_models_that_see_are_told_with_their_servers_name(tmp_path: Path, other: Any) -> None:
    url = f"{other.url}/v1"
    engine = build_engine(
        settings_with(tmp_path, openai_base_url=f"a={url},b={url}", openai_vision_models="b/*,big")
    )
    seen = {name: await engine.sees(name) for name in ("a/big", "b/big", "a/eyes", "b/eyes")}
    await engine.close()
    assert seen == {"a/big": False, "b/big": True, "a/eyes": True, "b/eyes": True}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"openai_base_url": "http://a/v1,http://b/v1", "openai_api_key": "s3cret,"}, "has no name"),
        (
            {"openai_base_url": "a=http://a/v1,b=http://b/v1", "openai_api_key": "s3cret"},
            "1 keys .* 2 servers",
        ),
        (
            {"openai_base_url": "a=http://a/v1", "openai_api_key": "s3cret", "ollama_host": "a=http://b"},
            "called 'a'",
        ),
        ({"ollama_host": "a=b,c"}, "OLLAMA_HOST has 2 servers"),
    ],
)
def test_servers_that_cannot_be_told_apart_are_refused_at_the_start(
    tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        settings_with(tmp_path, **wrong)
    assert "s3cret" not in str(refused.value)


def test_the_ports_of_named_ollamas_are_filled_in_and_keys_go_to_their_servers_alone(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, ollama_host="a=box, b=https://far:1/", openai_base_url="c=http://c/v1,d=http://d/v1",
                             openai_api_key=",two")  # fmt: skip
    assert [server.url for server in settings.ollama_servers] == ["http://box:11434", "https://far:1"]
    assert [(server.name, server.key) for server in settings.openai_servers] == [("c", ""), ("d", "two")]
