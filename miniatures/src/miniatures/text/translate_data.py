"""Sentence pairs for the translators: scenes and the everyday grammar, split and made careless.

Owns the mix and the held-out split. A pair is held out by a digest of its English side without
case or marks, so that neither direction ever trains on it.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from miniatures.scenes import grammar
from miniatures.scenes.model import Scene, is_held_out, random_scene
from miniatures.text.everyday import Everyday
from miniatures.text.pairs import Pair
from miniatures.text.phrases import phrases

HELD_OUT_PERCENT = 4
INVENTED_IN_TRAINING = 0.35
"""Share of names made up while training; in sentences for measuring it is a tenth. To copy is learnt last."""

_AROUND = (
    ("a picture of {}", "uma imagem de {}"), ("a drawing of {}", "um desenho de {}"), ("there is {}", "há {}"),
    ("draw {}", "desenhe {}"), ("I see {}", "eu vejo {}"), ("the picture shows {}", "a imagem mostra {}"),
    ("please draw {}", "por favor, desenhe {}"), ("this is {}", "isto é {}"),
)  # fmt: skip


def _key(english: str) -> str:
    return "".join(letter for letter in english.lower() if letter.isalpha() or letter == " ").strip()


@cache
def _by_heart() -> frozenset[str]:
    """Return the fixed phrases without a slot: what they mean follows from no other sentence."""
    return frozenset(_key(english) for english, _, _ in phrases() if "{" not in english)


def held_out(pair: Pair) -> bool:
    """Say whether a pair is kept for measuring; phrases known by heart never are."""
    key = _key(pair.en)
    digest = hashlib.sha256(key.encode()).digest()[0]
    return digest * 100 // 256 < HELD_OUT_PERCENT and key not in _by_heart()


def _both(text: tuple[str, str], slot: tuple[str, str]) -> Pair:
    return Pair(text[0].format(slot[0]), text[1].format(slot[1]))


def scene_pair(rng: random.Random, scene: Scene) -> Pair:
    """Say a scene, or a part of it, in both languages."""
    draw = rng.random()
    first = scene.shapes[0]
    if draw < 0.15:
        en, pt = (
            grammar.article(grammar.shape_phrase(first, language), language) for language in ("en", "pt")
        )
        pair = Pair(en, pt)
    elif draw < 0.22:
        count = rng.choice((2, 3))
        pair = Pair(grammar.plural_phrase(first, count, "en"), grammar.plural_phrase(first, count, "pt"))
        return pair
    elif draw < 0.34 and len(scene.shapes) == 2 and first.kind != scene.shapes[1].kind:
        return _definite(scene)
    else:
        pair = Pair(grammar.canonical(scene, "en"), grammar.canonical(scene, "pt"))
    if rng.random() < 0.35:
        around = rng.choice(_AROUND)
        pair = _both(around, (pair.en, pair.pt))
    return pair


def _definite(scene: Scene) -> Pair:
    """Say where the first of two shapes is: "the red star is above the blue ring"."""
    phrases = [[grammar.shape_phrase(shape, language) for shape in scene.shapes] for language in ("en", "pt")]
    en_place, pt_place = {"left_of": ("to the left of", "à esquerda"), "above": ("above", "acima")}[
        scene.relation
    ]
    (one, other), (um, outro) = phrases
    the, of_the = ("a" if um.gender == "f" else "o"), ("da" if outro.gender == "f" else "do")
    return Pair(
        f"the {one.words} is {en_place} the {other.words}",
        f"{the} {um.words} está {pt_place} {of_the} {outro.words}",
    )


def _dress(rng: random.Random, pair: Pair) -> Pair:
    """Give a scene phrase a capital, a full stop, both or neither; "I" has its capital anyway."""
    en, pt = pair.en, pair.pt
    if rng.random() < 0.45 or en.startswith("I "):
        en, pt = en[0].upper() + en[1:], pt[0].upper() + pt[1:]
    if rng.random() < 0.4:
        en, pt = en + ".", pt + "."
    return replace(pair, en=en, pt=pt)


def _plain(rng: random.Random, pair: Pair) -> Pair:
    """Take the capital or the final mark from an everyday sentence, on both sides alike."""
    en, pt = pair.en, pair.pt
    if rng.random() < 0.1 and not en.startswith(("I ", "English", "French")) and en.split()[0].istitle():
        en, pt = en[0].lower() + en[1:], pt[0].lower() + pt[1:]
    if rng.random() < 0.12 and en[-1] == pt[-1] and en[-1] in ".!":
        en, pt = en[:-1], pt[:-1]
    return replace(pair, en=en, pt=pt)


def pairs(
    seed: int, *, measuring: bool = False, invented: float = INVENTED_IN_TRAINING
) -> Iterator[tuple[Pair, str]]:
    """Yield pairs with their world ("scene" or "everyday"), for training or for measuring.

    `invented` is the share of made-up names in training.
    """
    rng = random.Random(seed)
    everyday = Everyday(rng) if measuring else Everyday(rng, invented=invented)
    while True:
        if rng.random() < 0.3:
            scene = random_scene(rng)
            if is_held_out(scene) == measuring:
                yield _dress(rng, scene_pair(rng, scene)), "scene"
        else:
            pair = everyday.sentence()
            if held_out(pair) == measuring:
                yield _plain(rng, pair), "everyday"


def one_way(
    seed: int, source: str, *, measuring: bool = False, invented: float = INVENTED_IN_TRAINING
) -> Iterator[tuple[str, str, str]]:
    """Yield `(source text, target text, world)` for translation out of `source`."""
    allowed = "=>" if source == "en" else "=<"
    for pair, world in pairs(seed, measuring=measuring, invented=invented):
        if pair.direction in allowed:
            yield (pair.en, pair.pt, world) if source == "en" else (pair.pt, pair.en, world)
