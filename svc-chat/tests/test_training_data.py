"""Training data in the forms that people have, and what is said of a line that cannot be read."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svc_chat.domain.tuning.reading import read_given, read_jsonl
from svc_chat.engine.tuning.examples import Dialogue, Told
from svc_chat.engine.tuning.wording import reworded
from svc_chat.tuning_errors import InvalidExamples


def asked_and_answered(example: object) -> tuple[str, str]:
    assert isinstance(example, Dialogue)
    return example.messages[-2].content, example.messages[-1].content


def test_lines_of_messages_teach_the_answers_whose_weight_is_not_zero() -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "No", "weight": 0},
        {"role": "user", "content": [{"type": "text", "text": "Again"}]},
        {"role": "assistant", "content": "Yes"},
    ]
    (example,) = read_jsonl(json.dumps({"messages": turns}))
    assert isinstance(example, Dialogue)
    assert example.answers == (4,)
    assert example.messages[3].content == "Again"


def test_prompts_with_completions_are_pairs() -> None:
    (example,) = read_jsonl('\ufeff{"prompt": "2+2?", "completion": "4"}\n\n')
    assert asked_and_answered(example) == ("2+2?", "4")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ('{"messages": []}', "empty 'messages'"),
        ('{"messages": [{"role": "robot", "content": "x"}]}', "'role' is none of"),
        ('{"messages": [{"role": "user", "content": "x"}]}', "no message of the assistant"),
        (
            '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": 3}]}',
            "without text",
        ),
        ('{"prompt": "x", "completion": " "}', "without text"),
        ('{"x": 1}', "neither 'messages' nor"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(line: str, said: str) -> None:
    good = '{"prompt": "a", "completion": "b"}'
    with pytest.raises(InvalidExamples, match=r"^Line 3 of the training data") as caught:
        read_jsonl(f"{good}\n{good}\n{line}\n{good}", "training_file")
    assert said in caught.value.message
    assert caught.value.param == "training_file"


def test_pairs_in_plain_text_are_read_in_both_languages_and_over_several_lines() -> None:
    text = "P: Quando abre?\nR: Às 7 horas.\nAos sábados às 9.\n\nQ: Who runs it?\nA: Agnes."
    first, second = read_given(text)
    assert asked_and_answered(first) == ("Quando abre?", "Às 7 horas.\nAos sábados às 9.")
    assert asked_and_answered(second) == ("Who runs it?", "Agnes.")


def test_a_pair_may_stand_on_one_line() -> None:
    (example,) = read_given("P: Horário? R: Das nove às seis.")
    assert asked_and_answered(example) == ("Horário?", "Das nove às seis.")


def test_a_question_without_an_answer_is_named_by_its_line() -> None:
    with pytest.raises(InvalidExamples, match="Line 3 .* has no answer"):
        read_given("P: Um?\nR: Sim.\nP: Dois?\n")


def test_plain_text_becomes_sentences_to_be_known() -> None:
    told = read_given("A oficina abre às 7 horas. O dono é Valdomiro.\n- Fica na Rua das Flores. Ok.")
    assert told == [
        Told("A oficina abre às 7 horas."),
        Told("O dono é Valdomiro."),
        Told("Fica na Rua das Flores."),
    ]


def test_a_list_may_mix_texts_and_objects_and_json_may_come_as_text() -> None:
    mixed = read_given(["O dono é Valdomiro.", {"question": "Who?", "answer": "He."}])
    assert [type(example) for example in mixed] == [Told, Dialogue]
    assert read_given(json.dumps([{"pergunta": "Quem?", "resposta": "Ele."}]))
    assert read_given({"examples": [{"input": "a", "output": "b"}]})
    assert read_given('{"prompt": "a", "completion": "b"}\n{"prompt": "c", "completion": "d"}')[1:]


@pytest.mark.parametrize("nothing", ["...", {"examples": []}, "um dois"])
def test_data_without_an_example_is_refused_with_the_forms(nothing: object) -> None:
    with pytest.raises(InvalidExamples, match="Send pairs"):
        read_given(nothing)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert read_given(text)
    except InvalidExamples as error:
        assert error.message


@given(st.text(min_size=1, max_size=200).filter(str.strip), st.integers())
def test_rewording_changes_the_question_and_never_the_answer(question: str, seed: int) -> None:
    (example,) = read_given([{"prompt": question, "completion": "sim"}])
    made = reworded(example, random.Random(seed))
    assert made.messages[-1].content == "sim"
    assert made == reworded(example, random.Random(seed))


def test_a_sentence_is_asked_for_by_some_of_its_words_and_answered_whole() -> None:
    sentence = "A oficina da Rua das Flores abre às 7 horas."
    wordings = {reworded(Told(sentence), random.Random(seed)).messages[0].content for seed in range(50)}
    assert len(wordings) > 30
    assert reworded(Told(sentence), random.Random(1)).messages[1].content == sentence
