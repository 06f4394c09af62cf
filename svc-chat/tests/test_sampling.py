"""Choosing tokens: exact against the plain definition, repeatable by seed, lawful under a grammar."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svc_chat.engine.base import Sampling
from svc_chat.engine.choosing import NOTHING, lawful
from svc_chat.engine.sampling import Chooser, choose, likeliest, log_chances

SIZES = [3, 40, 511, 512, 513, 5000]


def row_of(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, size).astype(np.float32)


def chooser(**sampling: object) -> Chooser:
    return Chooser.of(Sampling(**sampling), [1, 2, 3])  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(SIZES), st.integers(1, 100))
def test_the_likeliest_are_those_of_a_full_sort(seed: int, size: int, count: int) -> None:
    row = row_of(seed, size)
    ids, logits = likeliest(row, count)
    assert logits.tolist() == sorted(row.tolist(), reverse=True)[:count]
    assert row[ids].tolist() == logits.tolist()


def test_equal_logits_are_all_candidates() -> None:
    ids, _ = likeliest(np.zeros(2000, np.float32), 40)
    assert len(set(ids.tolist())) == 40


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32),
    st.sampled_from([1, 5, 40, 0]),
    st.sampled_from([0.05, 0.5, 0.95, 1.0]),
    st.sampled_from([0.0, 0.05, 0.9]),
    st.sampled_from([0.1, 0.8, 2.0]),
)
def test_only_tokens_within_top_k_top_p_and_min_p_are_drawn(
    seed: int, top_k: int, top_p: float, min_p: float, temperature: float
) -> None:
    row = row_of(seed, 700)
    chances = np.exp((row - row.max()).astype(np.float64) / temperature)
    order = np.argsort(-chances, kind="stable")[: top_k or None]
    kept = chances[order] / chances[order].sum()
    before = np.concatenate([[0.0], np.cumsum(kept)[:-1]])
    # a hair of slack: sums in another order differ in the last digits
    allowed = set(order[(before <= top_p + 1e-9) & (kept >= min_p * kept[0] - 1e-12)].tolist())
    one = chooser(top_k=top_k, top_p=top_p, min_p=min_p, temperature=temperature, seed=seed)
    assert {choose(row[None].copy(), [one])[0] for _ in range(30)} <= allowed


def test_draws_follow_the_probabilities() -> None:
    row = np.log(np.array([0.5, 0.3, 0.2], np.float32))
    one = chooser(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, seed=3)
    drawn = [choose(row[None].copy(), [one])[0] for _ in range(6000)]
    shares = np.bincount(drawn, minlength=3) / 6000
    assert np.allclose(shares, [0.5, 0.3, 0.2], atol=0.03)


def test_a_row_is_chosen_alike_alone_and_in_a_batch() -> None:
    rows = np.stack([row_of(seed, 1500) for seed in range(5)])
    settings_of = [{"temperature": 0}, {"temperature": 0.7}, {"temperature": 1.5, "top_k": 0}, {}, {}]
    together = choose(rows.copy(), [chooser(seed=i, **s) for i, s in enumerate(settings_of)])
    alone = [choose(rows[i : i + 1].copy(), [chooser(seed=i, **s)])[0] for i, s in enumerate(settings_of)]
    assert together == alone


def test_a_seed_draws_the_same_again_and_choices_differ() -> None:
    row = np.zeros((1, 1000), np.float32)
    sampling = Sampling(temperature=1.0, top_k=0, seed=-5)
    draws = [
        [choose(row.copy(), [one])[0] for _ in range(8)]
        for one in (Chooser.of(sampling, []), Chooser.of(sampling, []), Chooser.of(sampling, [], 1))
    ]
    assert draws[0] == draws[1] != draws[2]


def test_bias_and_penalties_change_what_is_likeliest() -> None:
    row = np.array([[5.0, 4.0, 3.0, -1.0]], np.float32)
    assert choose(row.copy(), [chooser(temperature=0, logit_bias={0: -100.0})]) == [1]
    assert choose(row.copy(), [chooser(temperature=0, logit_bias={3: 100.0, 99: 5.0})]) == [3]
    for penalty in ({"frequency_penalty": 0.8}, {"presence_penalty": 1.5}):
        one = chooser(temperature=0, **penalty)
        assert choose(row.copy(), [one]) == [0]
        one.accept(0)
        one.accept(0)
        assert choose(row.copy(), [one]) == [1]
    repeated = Chooser.of(Sampling(temperature=0, repeat_penalty=2.0), [0])
    assert choose(row.copy(), [repeated]) == [1], "the prompt counts for the repeat penalty"


def test_log_chances_sum_to_one() -> None:
    assert np.exp(log_chances(row_of(1, 151_936))).sum() == pytest.approx(1.0)


class Only:
    """A grammar of a fixed set."""

    def __init__(self, *tokens: int):
        self.tokens, self.asked = set(tokens), 0

    def allowed(self, tokens: np.ndarray) -> np.ndarray:
        self.asked += len(tokens)
        return np.array([int(t) in self.tokens for t in tokens], dtype=bool)

    def accept(self, token: int) -> None:
        assert token in self.tokens

    def close(self) -> None:
        return None


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_a_refused_token_is_replaced_by_the_likeliest_that_the_grammar_allows(temperature: float) -> None:
    row = row_of(2, 5000)
    worst = int(row.argmin())
    grammar = Only(worst)
    assert lawful(row, chooser(temperature=temperature), grammar, int(row.argmax())) == worst
    assert lawful(row, chooser(temperature=temperature), Only(), int(row.argmax())) == NOTHING


def test_a_lawful_token_costs_one_question() -> None:
    row = row_of(2, 5000)
    best = int(row.argmax())
    grammar = Only(best)
    assert lawful(row, chooser(temperature=0), grammar, best) == best
    assert grammar.asked == 1
