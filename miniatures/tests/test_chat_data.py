"""The chat model's dialogues, prompt format and suite say what they should."""

import json
import random
from itertools import islice
from operator import add, mul, sub

from jinja2.sandbox import ImmutableSandboxedEnvironment

from miniatures.scenes.grammar import canonical
from miniatures.scenes.model import held_out_scene
from miniatures.text import chat_skills
from miniatures.text.chat_format import CHAT_TEMPLATE, TOOL_CALL, TOOL_CALL_END, render
from miniatures.text.chat_reading import NOT_HELD, _facts, _missing, lookup, reading
from miniatures.text.chat_suite import calls, cases, number_is
from miniatures.text.chat_world import dialogues, exercises_share


def test_the_template_renders_what_training_shows() -> None:
    template = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(CHAT_TEMPLATE)
    for dialogue in islice(dialogues(3, analysis_share=0.3), 80):
        messages = [{"role": "system", "content": dialogue.system}] if dialogue.system else []
        messages += [{"role": turn.role, "content": turn.text} for turn in dialogue.turns]
        tools = [tool.as_json() for tool in dialogue.tools] or None
        assert template.render(messages=messages, tools=tools) == render(dialogue)


def test_the_same_seed_gives_the_same_dialogues() -> None:
    assert list(islice(dialogues(5), 30)) == list(islice(dialogues(5), 30))


def test_answers_from_passages_cite_one_and_repeat_its_sentence() -> None:
    rng = random.Random(1)
    for _ in range(100):
        turns = (lookup if rng.random() < 0.2 else reading)(rng, rng.choice(("en", "pt")))
        for answered in turns[1::2]:
            if answered.text not in NOT_HELD.values():
                number, _, sentence = answered.text.partition("] ")
                line = next(line for line in turns[0].text.split("\n") if line.startswith(f"{number}]"))
                assert sentence in line


def test_no_two_facts_of_a_text_could_answer_one_question() -> None:
    rng = random.Random(2)
    for _ in range(100):
        facts = _facts(rng, "en", 4)
        assert len({fact.topic for fact in facts}) == 4
        lost = _missing(rng, "en", facts)
        assert lost.topic not in {fact.topic for fact in facts}


def test_exercises_become_fewer_as_training_goes_on() -> None:
    assert exercises_share(0.0) > exercises_share(0.2) > exercises_share(1.0) > 0


def test_tool_calls_are_json_for_an_offered_tool() -> None:
    seen = 0
    for dialogue in islice(dialogues(9, analysis_share=0.2), 300):
        for turn in dialogue.turns:
            if turn.text.startswith(TOOL_CALL):
                call = json.loads(turn.text.split(TOOL_CALL)[1].split(TOOL_CALL_END)[0])
                assert call["name"] in {tool.name for tool in dialogue.tools}
                seen += 1
    assert seen > 5


def test_sums_are_right() -> None:
    rng = random.Random(2)
    for _ in range(100):
        for turn in chat_skills.arithmetic(rng, "en"):
            if turn.role == "assistant" and "=" in turn.text:
                left, right = turn.text.split(" = ")
                a, sign, b = left.replace("x", "*").split()
                assert {"+": add, "-": sub, "*": mul}[sign](int(a), int(b)) == int(right)


def test_held_out_scenes_are_never_said() -> None:
    rng = random.Random(4)
    hidden = {canonical(held_out_scene(rng, 2), "en") for _ in range(300)}
    for dialogue in islice(dialogues(6), 300):
        text = render(dialogue).lower()
        assert not any(f" {sentence}." in text for sentence in hidden)


def test_the_suite_has_fifty_dialogues_in_each_language() -> None:
    languages = [case.language for case in cases()]
    assert languages.count("en") == languages.count("pt") == 50


def test_the_rules_tell_right_answers_from_wrong_ones() -> None:
    assert number_is(4)("2 + 2 = 4")
    assert not number_is(4)("2 + 2 = 5")
    right = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Recife"}}\n</tool_call>'
    assert calls("get_weather", city="Recife")(right)
    assert not calls("get_weather", city="Natal")(right)
    assert not calls("get_weather", city="Recife")("It is sunny in Recife.")
