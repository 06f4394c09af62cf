"""Text is free, a call is valid: what may follow the mark of a call, with the real grammar and by itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from svc_chat.domain.answers import Gathering
from svc_chat.domain.callreader import CallReader
from svc_chat.domain.tools import plan
from svc_chat.engine.base import ANY_OBJECT, Delta, GenerationRequest, Message
from svc_chat.engine.free_calls import FormedCall, FreeCalls, free_calls, json_or_call
from svc_chat.engine.intake import sequences_of
from svc_chat.engine.llama_backend import LlamaBackend
from svc_chat.settings import Settings

CITY = {"type": "string", "enum": ["Recife", "Natal"]}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": CITY, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
NOW = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
TOOLS = plan([WEATHER, NOW], "auto")


class Letters:
    """A grammar that allows the letters of `text`, one after the other, and then nothing."""

    def __init__(self, text: str):
        self.text, self.closed = text, False

    def allowed(self, tokens: np.ndarray) -> np.ndarray:
        return np.array([bool(self.text) and chr(token) == self.text[0] for token in tokens], dtype=np.bool_)

    def accept(self, token: int) -> None:
        assert chr(token) == self.text[0]
        self.text = self.text[1:]

    def close(self) -> None:
        self.closed = True


def letters(text: str) -> np.ndarray:
    return np.array([ord(char) for char in text], dtype=np.int32)


def test_only_what_follows_the_mark_is_held_to_the_grammar() -> None:
    started: list[Letters] = []

    def start() -> Letters:
        started.append(Letters("{}</tool_call>"))
        return started[-1]

    grammar = FreeCalls(start, lambda token: bytes([token]))
    for _ in range(2):
        for token in letters("Let me see: <tool_call>"):
            assert grammar.allowed(letters("xyz")).all()
            grammar.accept(int(token))
        assert grammar.allowed(letters("x\n{<")).tolist() == [False, True, True, False]
        for token in letters("\n\n"):
            grammar.accept(int(token))
        assert grammar.allowed(letters("x\n{")).tolist() == [False, False, True]
        for token in letters("{}</tool_call>"):
            assert grammar.allowed(np.array([token], dtype=np.int32)).all()
            grammar.accept(int(token))
    assert [one.closed for one in started] == [True, True]
    grammar.accept(ord("<"))
    grammar.close()


@pytest.fixture(scope="module")
def backend() -> Iterator[LlamaBackend]:
    path: Path = Settings().builtin_model_path
    loaded = LlamaBackend(path, context_tokens=256, cache_bytes=1 << 22, threads=1, offload=False)
    yield loaded
    loaded.close()


@pytest.mark.model
@pytest.mark.parametrize("seed", range(5))
def test_whatever_a_model_would_write_after_the_mark_is_a_call_of_a_known_tool(
    backend: LlamaBackend, seed: int
) -> None:
    request = GenerationRequest("x", (Message("user", "x"),), tools=TOOLS.tools, free_call=TOOLS.free_schema)
    grammar = free_calls(backend, request)
    assert grammar is not None
    random = np.random.default_rng(seed)
    text = b"Well.\n"
    for token in backend._tokenize("Well.\n<tool_call>", special=True, bos=False):
        grammar.accept(token)
    text += b"<tool_call>"
    everything = np.arange(backend._vocabulary, dtype=np.int32)
    for _ in range(300):
        lawful = everything[grammar.allowed(everything)]
        assert len(lawful) > 0
        closing = [t for t in lawful if backend.piece(int(t)).startswith((b'"', b"}"))]
        token = int(random.choice(closing if closing and random.random() < 0.5 else lawful))
        grammar.accept(token)
        text += backend.piece(token)
        if text.endswith(b"</tool_call>"):
            break
    assert grammar.allowed(everything).all()
    whole, reader = Gathering(), CallReader(TOOLS)
    for delta in (Delta(text.decode()), Delta(finish_reason="stop")):
        for found in reader.read(delta):
            whole.add(found)
    call = whole.calls()[0]["function"]
    arguments = json.loads(call["arguments"])
    assert (whole.text, whole.reason) == ("Well.", "tool_calls")
    assert call["name"] in ("weather", "now")
    if call["name"] == "weather":
        assert arguments["city"] in ("Recife", "Natal")
        assert isinstance(arguments.get("days", 0), int)


@pytest.mark.model
def test_a_schema_that_cannot_be_expressed_leaves_calls_free(backend: LlamaBackend) -> None:
    schema = {"type": "object", "properties": {"x": {"$ref": "#/$defs/missing"}}}
    assert free_calls(backend, GenerationRequest("x", free_call=schema)) is None
    assert free_calls(backend, GenerationRequest("x")) is None


def test_the_engine_is_told_what_a_free_call_looks_like() -> None:
    schema = TOOLS.free_schema
    assert schema is not None
    assert [one["properties"]["name"]["const"] for one in schema["anyOf"]] == ["weather", "now"]
    assert plan([WEATHER], "required").free_schema is None
    assert plan([], "auto").free_schema is None


def test_an_answer_by_a_schema_may_be_a_call_unless_any_object_will_do() -> None:
    answer = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"const": 1}}}
    both = json_or_call(GenerationRequest("x", json_schema=answer, free_call=TOOLS.free_schema))
    assert both is not None
    assert both["anyOf"][0] == {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}
    assert "anyOf" in both["anyOf"][1]
    assert both["$defs"] == {"A": {"const": 1}}
    assert (
        json_or_call(GenerationRequest("x", json_schema=ANY_OBJECT, free_call=TOOLS.free_schema))
        == ANY_OBJECT
    )
    assert json_or_call(GenerationRequest("x", json_schema=answer)) == answer


@pytest.mark.model
def test_the_grammar_of_both_begins_either_way(backend: LlamaBackend) -> None:
    answer = {"type": "object", "properties": {"mood": {"type": "boolean"}}, "required": ["mood"]}
    for text in (
        '{"mood": true}',
        '{"name": "now", "arguments": {}}',
        '{"name": "weather", "arguments": {"city": "Natal"}}',
    ):
        schema = json_or_call(GenerationRequest("x", json_schema=answer, free_call=TOOLS.free_schema))
        assert schema is not None
        grammar = backend.grammar(schema, None)
        for token in backend._tokenize(text, special=True, bos=False):
            assert grammar.allowed(np.array([token], dtype=np.int32))[0]
            grammar.accept(token)
        grammar.close()


class Beginnings:
    """A form of calls that begin as `text` does, byte for byte."""

    def __init__(self, text: bytes):
        self.text = text

    def may_begin(self, text: bytes) -> bool:
        return self.text.startswith(text)

    def rests(self, text: bytes) -> list[bytes]:
        return [self.text[len(text) :][:3]] if self.text.startswith(text) else []


def test_a_call_is_of_its_schema_and_of_its_form() -> None:
    inner = Letters("{abc}")
    grammar = FormedCall(inner, Beginnings("{aé".encode()), lambda token: bytes([token]))
    assert grammar.allowed(letters("{a")).tolist() == [True, False]
    grammar.accept(ord("{"))
    assert grammar.allowed(letters("ab")).tolist() == [True, False]
    grammar.accept(ord("a"))
    assert grammar.allowed(letters("b")).tolist() == [False]  # the schema's next letter is not the form's
    grammar.close()
    assert inner.closed


@pytest.mark.model
@pytest.mark.parametrize("choice", ["auto", "required"])
def test_a_form_holds_for_calls_of_the_models_own_and_for_forced_ones(
    backend: LlamaBackend, choice: str
) -> None:
    tools = plan([WEATHER], choice)
    wanted = b'{"name": "weather", "arguments": {"city": "Natal"'
    request = GenerationRequest(
        "x",
        (Message("user", "x"),),
        tools=tools.tools,
        free_call=tools.free_schema,
        json_schema=tools.schema,
        repetition=tools.repetition,
        call_form=Beginnings(wanted),
    )
    sequences = sequences_of(request, backend, lambda item: None, 60.0, None, 0.0)
    grammar = sequences[0].grammar
    assert grammar is not None
    if choice == "auto":
        for token in backend._tokenize("<tool_call>", special=True, bos=False):
            grammar.accept(token)
    everything, text = np.arange(backend._vocabulary, dtype=np.int32), b""
    while len(text) < len(wanted):
        lawful = [t for t in everything[grammar.allowed(everything)] if backend.piece(int(t)).strip()]
        grammar.accept(int(lawful[0]))
        text += backend.piece(int(lawful[0]))
    assert text == wanted
    grammar.close()
