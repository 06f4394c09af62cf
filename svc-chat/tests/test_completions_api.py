"""`/v1/completions`: several prompts, scores with offsets, the best of several, and what is refused."""

import json

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import assert_error
from svc_chat.api.wire import Offsets, chat_logprobs, text_logprobs
from svc_chat.domain.answers import Answer, best
from svc_chat.engine.base import TokenLogprob, Usage


def choices_of(client: TestClient, **body: object) -> list[dict]:
    answer = client.post("/v1/completions", json={"max_tokens": 9, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"]


def test_each_prompt_has_choices_of_its_own(shared: TestClient) -> None:
    body = {"prompt": ["a b", "c"], "n": 2, "max_tokens": 9}
    answer = shared.post("/v1/completions", json=body).json()
    texts = [(choice["index"], choice["text"]) for choice in answer["choices"]]
    assert texts == [(0, "echo: a b"), (1, "echo: a b"), (2, "echo: c"), (3, "echo: c")]
    assert (answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]) == (3, 10)


def test_scores_say_where_each_token_begins(shared: TestClient) -> None:
    scores = choices_of(shared, prompt="Once", logprobs=2)[0]["logprobs"]
    assert scores["tokens"] == ["echo:", " Once"]
    assert scores["token_logprobs"] == [-0.5, -0.5]
    assert scores["text_offset"] == [4, 9]
    assert scores["top_logprobs"][0] == {"echo:": -0.5, " other": -2.0}


def test_parts_of_a_character_begin_where_it_does() -> None:
    scores = [TokenLogprob("a", -1, raw=b"a"), TokenLogprob("\ufffd", -1, raw=b"\xc3"),
              TokenLogprob("\ufffd", -1, raw=b"\xa9"), TokenLogprob("b", -1, raw=b"b")]  # fmt: skip
    told = text_logprobs(scores, Offsets(10))
    assert told is not None
    assert told["text_offset"] == [10, 11, 11, 12]
    rows = chat_logprobs([*scores, TokenLogprob("\ufffd", -1)])
    assert rows is not None
    assert [row["bytes"] for row in rows["content"]] == [[97], [0xC3], [0xA9], [98], None]


def test_an_echo_is_one_row_without_a_score(shared: TestClient) -> None:
    choice = choices_of(shared, prompt="Once", logprobs=0, echo=True)[0]
    assert choice["text"] == "Onceecho: Once"
    assert choice["logprobs"]["tokens"] == ["Once", "echo:", " Once"]
    assert choice["logprobs"]["token_logprobs"] == [None, -0.5, -0.5]
    assert choice["logprobs"]["text_offset"] == [0, 4, 9]


@pytest.mark.parametrize("echo", [False, True])
def test_a_stream_has_the_same_texts_and_scores(shared: TestClient, echo: bool) -> None:
    body = {"prompt": ["a b", "c"], "n": 2, "logprobs": 1, "echo": echo}
    whole = choices_of(shared, **body)
    text = shared.post("/v1/completions", json={"max_tokens": 9, **body, "stream": True}).text
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    said = [{"text": "", "tokens": [], "text_offset": []} for _ in whole]
    for line in lines[:-1]:
        choice = json.loads(line)["choices"][0]
        said[choice["index"]]["text"] += choice["text"]
        for name in ("tokens", "text_offset"):
            said[choice["index"]][name] += (choice["logprobs"] or {}).get(name, [])
    for one, other in zip(said, whole, strict=True):
        scores = {name: other["logprobs"][name] for name in ("tokens", "text_offset")}
        assert one == {"text": other["text"], **scores}


def test_the_best_of_several_is_kept_and_all_are_counted(shared: TestClient) -> None:
    body = {"prompt": "a", "best_of": 4, "n": 2, "max_tokens": 9}
    answer = shared.post("/v1/completions", json=body).json()
    assert len(answer["choices"]) == 2
    assert answer["choices"][0]["logprobs"] is None
    assert answer["usage"]["completion_tokens"] == 8


def test_the_best_are_the_likeliest_by_token() -> None:
    def scored(text: str, *scores: float) -> Answer:
        return Answer(text, (), "stop", Usage(), tuple(TokenLogprob("x", score) for score in scores))

    answers = [scored("long", -1, -1, -1), scored("worse", -2), scored("best", -0.5, -0.6)]
    assert [answer.text for answer in best(answers, 2)] == ["best", "long"]
    assert best(answers, 3) == answers


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"prompt": [1, 2, 3]}, "prompt"),
        ({"prompt": [[1, 2], [3]]}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", ""]}, "prompt.1"),
        ({"prompt": ["a"] * 17}, "prompt"),
        ({"suffix": "end"}, "suffix"),
        ({"best_of": 1, "n": 2}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"best_of": 99}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"logit_bias": {"hello": 1}}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_what_cannot_be_done_is_a_400_that_names_the_field(
    shared: TestClient, change: dict, param: str
) -> None:
    answer = shared.post("/v1/completions", json={"prompt": "a", **change})
    assert answer.status_code == 400, answer.text
    assert_error(answer)
    assert answer.json()["error"]["param"].startswith(param)
