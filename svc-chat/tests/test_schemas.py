"""Schemas of callers: references are found wherever a schema is put, and what would take too long is refused."""

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from servicekit.errors import BadRequest
from svc_chat.domain.schemas import checked
from svc_chat.domain.tools import plan
from svc_chat.engine.base import Repetition
from svc_chat.engine.llama_backend import LlamaBackend
from svc_chat.settings import Settings

TREE = {
    "type": "object",
    "properties": {"who": {"$ref": "#/$defs/My.Person"}, "next": {"$ref": "#"}},
    "$defs": {"My.Person": {"type": "object", "properties": {"boss": {"$ref": "#/$defs/My.Person"}}}},
}


def tool(name: str, parameters: dict) -> dict:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def test_definitions_of_a_functions_parameters_are_found_from_the_root() -> None:
    schema = plan([tool("a", TREE), tool("b", TREE)], "required").schema
    assert schema is not None
    arguments = schema["anyOf"][1]["properties"]["arguments"]["properties"]
    assert arguments["who"] == {"$ref": "#/$defs/tool-1-My-Person"}
    boss = schema["$defs"]["tool-1-My-Person"]["properties"]["boss"]
    assert boss == {"$ref": "#/$defs/tool-1-My-Person"}
    assert schema["$defs"]["tool-1"]["properties"]["next"] == {"$ref": "#/$defs/tool-1"}
    assert set(schema["$defs"]) == {"tool-0", "tool-1", "tool-0-My-Person", "tool-1-My-Person"}


def test_names_that_become_alike_stay_apart_and_data_is_left_alone() -> None:
    schema = {
        "definitions": {"a.b": {"const": {"$ref": "#", "pattern": "("}}, "a b": {"enum": ["$ref"]}},
        "properties": {"$ref": {"$ref": "#/definitions/a.b"}, "pattern": {"$ref": "#/definitions/a b"}},
    }
    found = checked(schema, "x")
    first, second = (part["$ref"].removeprefix("#/$defs/") for part in found["properties"].values())
    assert first != second
    assert found["$defs"][first] == {"const": {"$ref": "#", "pattern": "("}}
    assert found["$defs"][second] == {"enum": ["$ref"]}


def nested(levels: int) -> dict:
    deep: dict = {"type": "object"}
    for _ in range(levels):
        deep = {"type": "object", "properties": {"x": deep}}
    return deep


SLOW = {
    "64 levels": nested(40),
    "alternatives": {"anyOf": [{"type": "string"}] * 1001},
    "1001 alternatives": {"enum": [str(n) for n in range(1001)]},
    "201 properties": {"type": "object", "properties": {f"p{n}": {"type": "null"} for n in range(201)}},
    "500 characters": {"type": "string", "pattern": "a" * 501},
    "cannot be read": {"type": "string", "pattern": "(["},
    "inside one another, 9801": {"type": "string", "pattern": "^((a{0,99}){0,99})$"},
    "inside one another, 729": {"type": "string", "pattern": "^((a{0,9}|b){0,9}){0,9}$"},
    "inside one another, 220": {"type": "string", "pattern": "^((a?){0,55})*$"},
    "only '#'": {"$ref": "http://127.0.0.1/x.json"},
    "must be an object": {"$defs": [1]},
}


@pytest.mark.parametrize("says", SLOW)
def test_what_would_take_too_long_is_refused_wherever_it_stands(shared: TestClient, says: str) -> None:
    schema = {
        "type": "object",
        "properties": {"a": SLOW[says]},
        **({} if "$defs" not in SLOW[says] else SLOW[says]),
    }
    body = {"messages": [{"role": "user", "content": "x"}]}
    tools = {"tools": [tool("f", schema)]}
    given = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    for change in (tools, {**tools, "tool_choice": "required"}, {"response_format": given}):
        answer = shared.post("/v1/chat/completions", json={**body, **change})
        assert answer.status_code == 400, answer.text
        assert says in answer.json()["error"]["message"]
        assert answer.json()["error"]["param"] in ("tools.0.function.parameters", "response_format")


@pytest.mark.parametrize(
    "pattern",
    ["^[a-z]+(-[a-z]+)*$", "^([0-9]{1,3}[.]){3}[0-9]{1,3}$", "^a{0,999}$", "^(((a+)+)+)+$", "^x?(a|b){2,4}$"],
)
def test_ordinary_patterns_are_followed(pattern: str) -> None:
    schema = {"type": "string", "pattern": pattern}
    assert checked(schema, "x") == schema


@pytest.fixture(scope="module")
def backend() -> Iterator[LlamaBackend]:
    path = Settings().builtin_model_path
    loaded = LlamaBackend(path, context_tokens=256, cache_bytes=1 << 22, threads=1, offload=False)
    yield loaded
    loaded.close()


@pytest.mark.model
def test_llama_cpp_reads_recursive_definitions_with_any_name(backend: LlamaBackend) -> None:
    schema = plan([tool("a", TREE), tool("b", TREE)], "required").schema
    assert schema is not None
    backend.grammar(json.loads(json.dumps(schema)), Repetition("", "x", 1)).close()
    backend.grammar(checked(TREE, "x"), None).close()


def test_a_schema_without_end_is_refused() -> None:
    with pytest.raises(BadRequest, match="64 levels"):
        _ = plan([tool("a", nested(100))], "required").schema
