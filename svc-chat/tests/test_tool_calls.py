"""Calls are read out of what the model families write, however it is cut; anything else stays text."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import BadRequest
from svc_chat.domain.answers import Gathering
from svc_chat.domain.callreader import CallReader
from svc_chat.domain.jsonend import JsonEnd
from svc_chat.domain.tools import ToolPlan, plan
from svc_chat.engine.base import Delta, Usage

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
NOW = {"type": "function", "function": {"name": "now"}}
FREE = plan([WEATHER, NOW], "auto")
CITY = {"city": "Recife"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=5), JSON, max_size=3)
CUTS = st.lists(st.integers(0, 400), max_size=12)


def cut(text: str, places: Sequence[int]) -> list[str]:
    edges = sorted({place % (len(text) + 1) for place in places})
    return [text[a:b] for a, b in zip([0, *edges], [*edges, len(text)], strict=True)]


def read(pieces: Sequence[str], tools: ToolPlan = FREE, reason: str = "stop") -> tuple[Gathering, list[str]]:
    """Return what was gathered, and the texts in the order in which they were shown."""
    reader, whole = CallReader(tools), Gathering()
    shown = []
    deltas = [*map(Delta, pieces), Delta(finish_reason=reason, usage=Usage(1, 1))]  # type: ignore[arg-type]
    for delta in deltas:
        for found in reader.read(delta):
            whole.add(found)
            shown.append(found.text)
    return whole, shown


def called(whole: Gathering) -> list[tuple[str, dict]]:
    return [(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in whole.calls()]


FAMILIES = {
    "Hermes and Qwen": '<tool_call>\n{"name": "weather", "arguments": {"city": "Recife"}}\n</tool_call>',
    "Hermes without its end": '<tool_call>{"name": "weather", "arguments": {"city": "Recife"}}',
    "Llama 3": '{"name": "weather", "parameters": {"city": "Recife"}}',
    "Llama 3 with its mark": '<|python_tag|>{"type": "function", "name": "weather", "parameters": {"city": "Recife"}}',
    "Llama 3 nested": '{"type": "function", "function": {"name": "weather", "parameters": {"city": "Recife"}}}',
    "Mistral": '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Recife"}}]',
    "Mistral without its mark": ' [{"name": "weather", "arguments": {"city": "Recife"}, "id": "a1"}]',
    "Mistral of 2025": '[TOOL_CALLS]weather[ARGS]{"city": "Recife"}',
    "arguments as a text": '{"name": "weather", "arguments": "{\\"city\\": \\"Recife\\"}"}',
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_call_is_read_in_the_way_of(family: str) -> None:
    for pieces in ([FAMILIES[family]], list(FAMILIES[family])):
        whole, _ = read(pieces)
        assert called(whole) == [("weather", CITY)]
        assert (whole.text, whole.reason) == ("", "tool_calls")
        assert whole.calls()[0]["id"].startswith("call_")


SEVERAL = {
    "Hermes": '<tool_call>{"name": "weather", "arguments": {"city": "Recife"}}</tool_call>\n'
    '<tool_call>{"name": "now", "arguments": {}}</tool_call>',
    "Llama": '{"name": "weather", "parameters": {"city": "Recife"}}; {"name": "now", "parameters": {}}',
    "Mistral": '[TOOL_CALLS][{"name":"weather","arguments":{"city":"Recife"}},{"name":"now","arguments":{}}]',
    "Mistral of 2025": '[TOOL_CALLS]weather{"city": "Recife"}[TOOL_CALLS]now{}',
}


@pytest.mark.parametrize("family", SEVERAL)
def test_several_calls_are_read_and_only_one_when_only_one_may_be(family: str) -> None:
    whole, _ = read(list(SEVERAL[family]))
    assert called(whole) == [("weather", CITY), ("now", {})]
    assert len({call["id"] for call in whole.calls()}) == 2
    single, _ = read(list(SEVERAL[family]), plan([WEATHER, NOW], "auto", parallel=False))
    assert called(single) == [("weather", CITY)]


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>{'name': 'weather'}</tool_call>",
        '<tool_call>{"name": "weather", "arguments": {"city"</tool_call> or so',
        '<tool_call>{"name": "no such tool", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "weather", "arguments": [1]}</tool_call>',
        '<tool_call>{"name": "weather", "arguments": {"city": "Rec',
        "<tool_call>weather</tool_call>",
        "<tool_call>",
        '{"name": "Ana", "age": 3}',
        '{"name": "weather", "parameters": {"city": "Recife"}} is what I would call.',
        '{"answer": 42}',
        "[1, 2, 3]",
        '[{"name": "weather", "arguments": {}}, {"name": "other", "arguments": {}}]',
        "[TOOL_CALLS] none",
        "{",
        "",
        "  plain text with a trailing line\n",
        "a < b and <tool> is no mark",
    ],
)
def test_what_is_no_valid_call_stays_text(text: str) -> None:
    for pieces in ([text], list(text)):
        whole, _ = read(pieces)
        assert (whole.text, whole.calls(), whole.reason) == (text, (), "stop")


@given(st.text(max_size=40), OBJECTS, CUTS)
def test_text_before_a_call_is_kept_and_nothing_of_the_call_is_shown(
    before: str, arguments: dict, cuts: list[int]
) -> None:
    before = before.replace("<", "").replace("[", "").replace("{", "")
    call = json.dumps({"name": "weather", "arguments": arguments}, ensure_ascii=False)
    whole, shown = read(cut(f"{before}\n<tool_call>\n{call}\n</tool_call>", cuts))
    assert called(whole) == [("weather", arguments)]
    assert whole.text == before.rstrip()
    assert not any("tool_call" in text for text in shown)


@given(st.text(alphabet='<tool_cal>/{}[]TOL_CAS \n"name:', max_size=60), CUTS)
def test_text_without_a_call_survives_any_cut(text: str, cuts: list[int]) -> None:
    whole, _ = read(cut(text, cuts))
    assert whole.text == text or whole.calls()


@given(st.lists(OBJECTS, min_size=1, max_size=3), CUTS)
def test_forced_calls_are_passed_on_as_they_come(arguments: list[dict], cuts: list[int]) -> None:
    tools = plan([WEATHER], "required")
    repetition = tools.repetition
    assert repetition is not None
    calls = [json.dumps({"name": "weather", "arguments": a}, ensure_ascii=False) for a in arguments]
    whole, shown = read(cut(repetition.separator.join(calls) + repetition.closing, cuts), tools)
    assert called(whole) == [("weather", a) for a in arguments]
    assert "".join(shown) == ""


def test_a_forced_calls_arguments_are_streamed_after_its_id_and_name() -> None:
    reader = CallReader(plan([WEATHER], {"type": "function", "function": {"name": "weather"}}))
    pieces = ['{"name": "wea', 'ther", "arguments": {"ci', 'ty": "Re', 'cife"}', "}"]
    found = [call for piece in pieces for delta in reader.read(Delta(piece)) for call in delta.calls]
    assert found[0].name == "weather"
    assert found[0].id
    assert [call.arguments for call in found] == ["", '{"ci', 'ty": "Re', 'cife"}']


def test_a_forced_call_that_the_limit_cut_keeps_its_reason() -> None:
    whole, _ = read(['{"name": "weather", "arguments": {"city": "Re'], plan([WEATHER], "required"), "length")
    assert whole.calls()[0]["function"]["arguments"] == '{"city": "Re'
    assert whole.reason == "length"


def test_an_answer_that_ignores_the_force_is_text() -> None:
    for text in ("I would rather not.", '{"other": 1}', '{"name": "nobody", "arguments": {}}'):
        whole, _ = read(list(text), plan([WEATHER], "required"))
        assert (whole.text, whole.calls()) == (text, ())


def test_log_probabilities_go_with_the_text_that_is_shown() -> None:
    from svc_chat.engine.base import TokenLogprob

    reader = CallReader(FREE)
    scored = [Delta(piece, (TokenLogprob(piece, -1.0),)) for piece in ("<to", "ol", " box")]
    found = [d for delta in (*scored, Delta(finish_reason="stop")) for d in reader.read(delta)]
    assert [(d.text, [s.token for s in d.logprobs]) for d in found][0] == ("<tool box", ["<to", "ol", " box"])


@given(OBJECTS, st.text(max_size=5), CUTS)
def test_the_end_of_an_object_is_found_at_any_cut(value: dict, after: str, cuts: list[int]) -> None:
    text = json.dumps(value)
    scan, place = JsonEnd(), 0
    for piece in cut(text + after, cuts):
        length = scan.feed(piece)
        if length is not None:
            assert place + length == len(text)
            return
        place += len(piece)
    raise AssertionError("no end")


def allowed(mode: str, *names: str) -> dict:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


def test_allowed_tools_are_the_only_ones_seen_and_forced_when_required() -> None:
    free = plan([WEATHER, NOW], allowed("auto", "now"))
    assert (free.tools, free.forced) == ((NOW,), ())
    assert plan([WEATHER, NOW], allowed("required", "now")).forced == ("now",)


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "nobody"}},
        {"type": "function", "function": "now"},
        {"type": "custom", "custom": {"name": "now"}},
        {"type": "function"},
        allowed("sometimes", "now"),
        allowed("auto"),
        allowed("auto", "nobody"),
        {"type": "allowed_tools"},
        {"type": "allowed_tools", "allowed_tools": []},
        {},
        "now",
    ],
)
def test_a_choice_that_means_no_tool_is_refused(choice: object) -> None:
    with pytest.raises(BadRequest):
        plan([WEATHER, NOW], choice)  # type: ignore[arg-type]


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(BadRequest, match="weather"):
        plan([WEATHER, WEATHER], "auto")


@given(st.text(alphabet='{}"nameweather:argumts, \\\\<tool_call>/', max_size=60), CUTS)
def test_a_forced_answer_that_is_anything_else_breaks_nothing(text: str, cuts: list[int]) -> None:
    whole, _ = read(cut(text, cuts), plan([WEATHER], "required"))
    assert whole.text == text or whole.calls()
