"""Sentence pairs agree, keep their marks, and never cross from the held-out set into training."""

from itertools import islice

from miniatures.text.everyday import after, an
from miniatures.text.pairs import Pair
from miniatures.text.translate_data import held_out, one_way, pairs


def test_portuguese_prepositions_contract() -> None:
    assert after("em", "a cozinha") == "na cozinha"
    assert after("de", "o livro") == "do livro"
    assert after("a", "as lojas") == "às lojas"


def test_english_articles_follow_the_sound_of_the_first_letter() -> None:
    assert (an("apple"), an("house")) == ("an apple", "a house")


def test_final_marks_and_capitals_are_the_same_on_both_sides() -> None:
    for pair, world in islice(pairs(1), 800):
        if world == "scene":
            assert (pair.en[-1] == ".") == (pair.pt[-1] == ".")
            assert pair.en.startswith("I ") or pair.en[0].isupper() == pair.pt[0].isupper()


def test_training_never_says_an_everyday_sentence_kept_for_measuring() -> None:
    assert not any(held_out(pair) for pair, world in islice(pairs(2), 800) if world == "everyday")
    assert all(held_out(pair) for pair, world in islice(pairs(2, measuring=True), 60) if world == "everyday")


def test_scenes_for_measuring_are_not_among_those_for_training() -> None:
    trained = {text for text, _, world in islice(one_way(3, "en"), 3000) if world == "scene"}
    kept = {text for text, _, world in islice(one_way(4, "en", measuring=True), 200) if world == "scene"}
    whole = {text for text in kept if "background" in text}
    assert whole and not whole & trained


def test_a_scene_is_said_in_both_languages() -> None:
    said = {pair.en: pair.pt for pair, world in islice(pairs(5), 4000) if world == "scene"}
    for english, portuguese in said.items():
        if english.startswith("a large red circle on a"):
            assert portuguese.startswith("um círculo vermelho grande sobre um fundo")


def test_phrases_known_by_heart_are_trained_and_never_measured() -> None:
    thirsty = Pair("I am thirsty.", "Eu estou com sede.")
    assert not held_out(thirsty)
    english = {pair.en for pair, _ in islice(pairs(2, measuring=True), 300)}
    assert thirsty.en not in english


def test_where_english_cannot_show_a_capital_portuguese_has_one() -> None:
    seen = [pair for pair, world in islice(pairs(7), 2000) if world == "scene" and pair.en.startswith("I ")]
    assert seen
    assert all(pair.pt[0].isupper() for pair in seen)
