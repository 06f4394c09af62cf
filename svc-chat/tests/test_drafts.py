"""The pure parts of responses, by properties: drafts, second writings, shortening, kept Asks."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from servicekit.errors import BadRequest, TooBusy
from svc_chat.domain.ask_json import from_json, to_json
from svc_chat.domain.draft import Draft
from svc_chat.domain.items import kept, turns, with_ids
from svc_chat.domain.replay import Interrupted, Retelling
from svc_chat.domain.service import Ask
from svc_chat.domain.truncation import shortened
from svc_chat.engine.base import CallDelta, Delta, Message, Sampling, TokenLogprob, Usage

BODY: dict[str, Any] = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "in_progress", "output": [], "model": "m",
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": None, "error": None,
}  # fmt: skip
SCORES = (TokenLogprob("a", -0.5, (("a", -0.5), ("é", -2.0))),)
ENDS = ("stop", "length", "cancel", "fail", None)
pieces = st.lists(
    st.one_of(
        st.tuples(st.just("text"), st.text(min_size=1, max_size=5), st.booleans()),
        st.tuples(st.just("call"), st.integers(0, 2), st.text(max_size=5)),
    ),
    max_size=12,
)


def drawn(steps: list[tuple[Any, ...]], end: str | None) -> tuple[Draft, list[Mapping[str, Any]]]:
    """Return a draft to which `steps` happened, and all its events. Calls come one after the other."""
    draft = Draft(BODY)
    events: list[Mapping[str, Any]] = [*draft.created(), *draft.begun()]
    call, seen = -1, 0
    for kind, first, second in steps:
        if kind == "text":
            events += draft.write(first, SCORES if second else ())
        else:
            call, new = (call + 1, True) if first or call < 0 or kind_changed(draft) else (call, False)
            seen += new
            named = {"id": f"call_{call}", "name": "f"} if new else {}
            events += draft.call(CallDelta(call, second, **named))  # type: ignore[arg-type]
    if end in ("stop", "length"):
        events += draft.finish(str(end), Usage(3, 4, 1), {"timing": {}})
    elif end == "cancel":
        events += draft.cancel()
    elif end == "fail":
        events += draft.fail(TooBusy("Too much."))
    return draft, events


def kind_changed(draft: Draft) -> bool:
    """Say whether the last item is not a call: a call is not gone on with after text."""
    return not draft.output or draft.output[-1]["type"] != "function_call"


@given(pieces, st.sampled_from(ENDS), st.data())
def test_a_draft_read_back_from_its_events_is_the_same_and_goes_on_the_same(
    steps: list[Any], end: str | None, data: st.DataObject
) -> None:
    draft, events = drawn(steps, end)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    back = Draft(BODY)
    back.replay(copy.deepcopy(events))
    assert back.body == draft.body
    assert back.next_number == draft.next_number
    if end is None and steps:
        text = data.draw(st.text(min_size=1, max_size=3))
        mine, theirs = draft.write(text), back.write(text)
        assert [e["type"] for e in mine] == [e["type"] for e in theirs]
        assert without_ids(draft.body) == without_ids(back.body)


def without_ids(body: Mapping[str, Any]) -> Any:
    """Return a body in which items have no ids: new ones are drawn."""
    return {**body, "output": [{**item, "id": ""} for item in body["output"]]}


@given(pieces, st.sampled_from(("stop", "length", "cancel", "fail")))
def test_what_deltas_say_is_what_the_answer_holds(steps: list[Any], end: str) -> None:
    draft, events = drawn(steps, end)
    told: dict[str, str] = {}
    for event in events:
        if event["type"].endswith(".delta"):
            told[event["item_id"]] = told.get(event["item_id"], "") + event["delta"]
    for item in draft.output:
        said = item["content"][0]["text"] if item["type"] == "message" else item["arguments"]
        assert told.get(item["id"], "") == said
        assert item["status"] in ("completed", "incomplete")
    opened = [e["output_index"] for e in events if e["type"] == "response.output_item.added"]
    closed = [e["output_index"] for e in events if e["type"] == "response.output_item.done"]
    assert opened == closed == list(range(len(draft.output)))
    assert draft.ended
    Response.model_validate(draft.body, strict=True)


def test_an_answer_without_a_word_is_an_empty_message() -> None:
    draft, _ = drawn([], "stop")
    assert draft.output[0]["content"][0]["text"] == ""
    assert kept(draft.output) == ()


def test_a_conversation_keeps_no_half_call() -> None:
    draft, _ = drawn([("text", "a", False), ("call", 1, "{"), ("call", 1, "{}")], "cancel")
    assert [item["type"] for item in kept(draft.output)] == ["message", "function_call"]


@given(st.text(max_size=20), st.integers(0, 20), st.lists(st.integers(1, 4), max_size=20))
def test_a_second_writing_gives_exactly_what_is_new(text: str, told: int, cuts: list[int]) -> None:
    retelling = Retelling(text[:told], ())
    new, place = "", 0
    for cut in [*cuts, len(text) + 1]:
        new += retelling.rest(Delta(text[place : place + cut])).text
        place += cut
    new += retelling.rest(Delta(finish_reason="stop")).text
    assert text[:told] + new == text


@given(st.text(min_size=1, max_size=10), st.text(max_size=10))
def test_a_second_writing_that_differs_is_noticed(told: str, again: str) -> None:
    if again.startswith(told):
        return
    retelling = Retelling(told, ())
    with pytest.raises(Interrupted):
        for letter in again:
            retelling.rest(Delta(letter))
        retelling.rest(Delta(finish_reason="stop"))


def test_another_function_is_another_answer() -> None:
    retelling = Retelling("", [{"name": "f", "arguments": "{"}])
    with pytest.raises(Interrupted):
        retelling.rest(Delta(calls=(CallDelta(0, "{", "c", "g"),)))


@given(
    st.lists(
        st.tuples(st.sampled_from(("user", "assistant", "tool", "system")), st.text(max_size=30)), max_size=12
    ),
    st.integers(10, 500),
    st.integers(1, 400),
)
def test_shortening_drops_whole_turns_from_the_beginning_and_never_the_last(
    said: list[tuple[str, str]], tokens: int, limit: int
) -> None:
    messages = tuple(Message(role, text) for role, text in [("user", "a"), *said, ("user", "z")])
    rest = [m for m in messages if m.role != "system"]
    short = shortened(messages, tokens, limit, 50)
    assert short is not None
    left = [m for m in short if m.role != "system"]
    assert 0 < len(left) < len(rest)
    assert left == rest[-len(left) :]
    assert left[0].role == "user"
    assert [m for m in short if m.role == "system"] == [m for m in messages if m.role == "system"]


def test_a_single_turn_cannot_be_shortened() -> None:
    assert shortened((Message("system", "s"), Message("user", "u")), 100, 50, 10) is None


@given(
    st.builds(
        Ask,
        messages=st.lists(
            st.builds(Message, st.just("user"), st.text(), images=st.just(("data:x",))), max_size=3
        ).map(tuple),
        model=st.none() | st.text(),
        tools=st.just(({"type": "function", "function": {"name": "f"}},)),
        tool_choice=st.sampled_from(["auto", {"type": "function", "name": "f"}, None]),
        json_schema=st.none() | st.just({"type": "object"}),
        sampling=st.builds(Sampling, seed=st.none() | st.integers(), logit_bias=st.just({5: 1.5})),
        bearer=st.just({"Authorization": "Bearer secret"}),
    )
)
def test_an_ask_comes_back_from_json_without_its_bearer(ask: Ask) -> None:
    text = json.dumps(to_json(ask))
    assert "secret" not in text
    back = from_json({**json.loads(text), "unknown": 1})
    assert to_json(back) == to_json(ask)
    assert isinstance(back.sampling.stop, tuple)
    assert hash(back.messages) is not None


def test_a_result_without_its_call_is_refused() -> None:
    items = with_ids([{"type": "function_call_output", "call_id": "c", "output": "x"}])
    with pytest.raises(BadRequest):
        turns(items)
