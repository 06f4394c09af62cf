"""Which reranker reads passages again, and what happens where it cannot."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from servicekit.errors import ModelNotFound
from servicekit.models import NoMemory
from svc_rag.domain.embedders import Embedders
from svc_rag.domain.reranking import READ_AGAIN, Choice, Rerankers
from svc_rag.domain.retrieval import Found
from svc_rag.engine.base import Hit


class Reader:
    """Scores a text by its length; `away` makes it fail as one that finds no memory."""

    model_id = "me/reader"

    def __init__(self, *, away: bool = False):
        self.away = away

    def score(self, query: str, texts: Any) -> Any:
        if self.away:
            raise NoMemory("no memory is left")
        return np.array([len(text) / 10 for text in texts], np.float32)

    def count_tokens(self, text: str) -> int:
        return len(text)


def found(*texts: str) -> list[Found]:
    return [Found(Hit(text, "d", text, 0.5, 1, 0, len(text)), cast(Any, None)) for text in texts]


def rerankers(default: str = "") -> Rerankers:
    embedders = Embedders(cast(Any, None), [])
    embedders.add_reranker(Reader())
    return Rerankers(embedders, default)


def test_passages_come_in_the_reader_s_order_with_its_scores() -> None:
    read, by = Choice(Reader(), named=True).order("q", found("a", "abc", "ab"), 2)
    assert ([one.hit.text for one in read], by) == (["abc", "ab"], "me/reader")
    assert [one.hit.score for one in read] == pytest.approx([0.3, 0.2])


def test_more_passages_are_read_than_are_asked_for() -> None:
    choice = Choice(Reader(), named=True)
    assert (choice.width(3), choice.width(50)) == (READ_AGAIN, 50)


def test_the_reader_of_the_settings_is_done_without_where_it_cannot_and_a_named_one_is_not() -> None:
    passages = found("a", "abc", "ab")
    assert Choice(Reader(away=True), named=False).order("q", passages, 2) == (passages[:2], None)
    with pytest.raises(NoMemory):
        Choice(Reader(away=True), named=True).order("q", passages, 2)


@pytest.mark.parametrize(
    ("default", "name", "told", "who"),
    [
        ("", None, False, None), ("me/reader", None, False, "me/reader"), ("me/reader", None, True, None),
        ("", "me/reader", True, "me/reader"), ("me/gone", None, False, None),
    ],
)  # fmt: skip
def test_a_request_s_word_goes_before_that_of_the_settings(
    default: str, name: str | None, told: bool, who: str | None
) -> None:
    choice = rerankers(default).chosen(name, told=told)
    assert (choice.reranker.model_id if choice else None) == who


def test_one_that_is_named_and_not_installed_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(ModelNotFound, match=r"'me/gone' is no reranker.*me/reader"):
        rerankers().chosen("me/gone", told=True)
