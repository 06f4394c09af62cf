"""Say a scene in English or Brazilian Portuguese.

Owns the words: articles, gender, number, order of adjectives, and the many wordings of one
scene. Knows nothing about pixels, models or tokens. Wording 0 is the canonical one: the same
scene always gets the same canonical sentence and two different scenes never share it.
"""

from __future__ import annotations

from dataclasses import dataclass

from miniatures.scenes.model import Scene, Shape

LANGUAGES = ("en", "pt")

PORTUGUESE_SHAPES: dict[str, tuple[str, str, str]] = {
    # kind: (gender, singular, plural)
    "circle": ("m", "círculo", "círculos"),
    "square": ("m", "quadrado", "quadrados"),
    "triangle": ("m", "triângulo", "triângulos"),
    "star": ("f", "estrela", "estrelas"),
    "ring": ("m", "anel", "anéis"),
    "diamond": ("m", "losango", "losangos"),
}

PORTUGUESE_COLOURS: dict[str, tuple[str, str, str, str]] = {
    # colour: masculine, feminine, masculine plural, feminine plural
    "red": ("vermelho", "vermelha", "vermelhos", "vermelhas"),
    "blue": ("azul", "azul", "azuis", "azuis"),
    "green": ("verde", "verde", "verdes", "verdes"),
    "yellow": ("amarelo", "amarela", "amarelos", "amarelas"),
    "black": ("preto", "preta", "pretos", "pretas"),
    "white": ("branco", "branca", "brancos", "brancas"),
    # Laranja and cinza are nouns used as colours: they do not bend.
    "orange": ("laranja", "laranja", "laranja", "laranja"),
    "purple": ("roxo", "roxa", "roxos", "roxas"),
    "grey": ("cinza", "cinza", "cinza", "cinza"),
}

PORTUGUESE_SIZES: dict[str, tuple[str, str, str, str]] = {
    "small": ("pequeno", "pequena", "pequenos", "pequenas"),
    "large": ("grande", "grande", "grandes", "grandes"),
}

_NUMBERS = {"en": {2: "two", 3: "three"}, "pt": {2: "dois", 3: "três"}}

_ONE_PLACES = {
    "en": {
        "left": ("on the left of", "at the left of", "on the left side of"),
        "right": ("on the right of", "at the right of", "on the right side of"),
        "top": ("at the top of", "in the upper part of"),
        "bottom": ("at the bottom of", "in the lower part of"),
    },
    "pt": {
        "left": ("à esquerda de", "no lado esquerdo de", "na parte esquerda de"),
        "right": ("à direita de", "no lado direito de", "na parte direita de"),
        "top": ("no alto de", "na parte de cima de", "no topo de"),
        "bottom": ("na parte de baixo de", "embaixo em"),
    },
}

_TWO_PLACES: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "en": {
        "left_of": (("to the left of", "left of"), ("to the right of", "right of")),
        "above": (("above", "over", "on top of"), ("below", "under")),
    },
    "pt": {
        "left_of": (("à esquerda de", "do lado esquerdo de"), ("à direita de", "do lado direito de")),
        "above": (("acima de", "em cima de"), ("abaixo de", "embaixo de")),
    },
}


@dataclass(frozen=True)
class Phrase:
    """A noun phrase without its article, and what is needed to choose one."""

    words: str
    gender: str = "n"


def article(phrase: Phrase, language: str) -> str:
    """Put the indefinite article before a singular phrase."""
    if language == "pt":
        return f"{'uma' if phrase.gender == 'f' else 'um'} {phrase.words}"
    return f"{'an' if phrase.words[0] in 'aeiou' else 'a'} {phrase.words}"


def shape_phrase(shape: Shape, language: str, *, big: bool = False) -> Phrase:
    """Return "large red circle" / "círculo vermelho grande"; `big` picks the English synonym."""
    if language == "en":
        size = {"large": "big" if big else "large", "small": "small"}.get(shape.size, "")
        return Phrase(" ".join(word for word in (size, shape.colour, shape.kind) if word))
    gender, noun, _ = PORTUGUESE_SHAPES[shape.kind]
    form = 1 if gender == "f" else 0
    words = [noun, PORTUGUESE_COLOURS[shape.colour][form]]
    if shape.size in PORTUGUESE_SIZES:
        words.append(PORTUGUESE_SIZES[shape.size][form])
    return Phrase(" ".join(words), gender)


def plural_phrase(shape: Shape, count: int, language: str) -> str:
    """Return "two large red circles" / "dois círculos vermelhos grandes"."""
    number = _NUMBERS[language][count]
    if language == "en":
        return f"{number} {shape_phrase(shape, 'en').words}s"
    gender, _, noun = PORTUGUESE_SHAPES[shape.kind]
    form = 3 if gender == "f" else 2
    words = ["duas" if gender == "f" and count == 2 else number, noun, PORTUGUESE_COLOURS[shape.colour][form]]
    if shape.size in PORTUGUESE_SIZES:
        words.append(PORTUGUESE_SIZES[shape.size][form])
    return " ".join(words)


def background_phrase(colour: str, language: str) -> str:
    """Return "a blue background" / "um fundo azul"."""
    if language == "pt":
        return f"um fundo {PORTUGUESE_COLOURS[colour][0]}"
    return article(Phrase(f"{colour} background"), "en")


def _join(items: list[str], language: str) -> str:
    last = "e" if language == "pt" else "and"
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def _placed(scene: Scene, language: str) -> list[tuple[str, bool]]:
    """Word the shapes and their places; True where the wording already leads to the background."""
    shapes = [article(shape_phrase(shape, language), language) for shape in scene.shapes]
    if len(shapes) == 1:
        places = _ONE_PLACES[language].get(scene.relation)
        if places is None:
            big = article(shape_phrase(scene.shapes[0], language, big=True), language)
            return [(text, False) for text in dict.fromkeys((shapes[0], big))]
        return [(f"{shapes[0]} {place}", True) for place in places]
    if len(shapes) == 2:
        return _placed_two(scene, shapes, language)
    english, portuguese = (
        ("in a row", "side by side", "in a line"),
        ("em fila", "lado a lado", "em uma linha"),
    )
    rows = portuguese if language == "pt" else english
    said = [(f"{_join(shapes, language)} {row}", False) for row in rows]
    if len(set(scene.shapes)) == 1:
        said += [(f"{plural_phrase(scene.shapes[0], 3, language)} {row}", False) for row in rows]
    return said


def _placed_two(scene: Scene, shapes: list[str], language: str) -> list[tuple[str, bool]]:
    forward, backward = _TWO_PLACES[language][scene.relation]
    first, second = shapes
    said = [(f"{first} {place} {second}", False) for place in forward]
    said += [(f"{second} {place} {first}", False) for place in backward]
    if scene.shapes[0] == scene.shapes[1]:
        plural = plural_phrase(scene.shapes[0], 2, language)
        gender = PORTUGUESE_SHAPES[scene.shapes[0].kind][0]
        one, other = ("uma", "da outra") if gender == "f" else ("um", "do outro")
        side = {
            ("en", "left_of"): "side by side",
            ("en", "above"): "one above the other",
            ("pt", "left_of"): "lado a lado",
            ("pt", "above"): f"{one} acima {other}",
        }[(language, scene.relation)]
        joint = ", " if side[:3] in ("one", "um ", "uma") else " "
        said.append((f"{plural}{joint}{side}", False))
    return said


def captions(scene: Scene, language: str) -> list[str]:
    """Return every wording of a scene, lower case, without a final full stop; index 0 is canonical.

    A white background is what is meant when none is said, so white scenes also have wordings
    that leave it out.
    """
    ground = background_phrase(scene.background, language)
    on = "sobre" if language == "pt" else "on"
    placed = _placed(scene, language)
    said: list[str] = []
    for text, leads in placed:
        said.append(f"{text} {ground}" if leads else f"{text} {on} {ground}")
    main, leads = placed[0]
    plain = main.rsplit(" ", 1)[0] if leads else main
    bare = ground.split(" ", 1)[1]
    if language == "pt":
        extra = ["uma imagem de {}", "um desenho de {}", "há {}", "desenhe {}", "mostre {}"]
        said += [f"{text} em {ground}" for text, leads in placed if not leads]
        said += [f"{plain}, {bare}", f"{plain}, com {bare}"]
    else:
        extra = ["a picture of {}", "an image of {}", "there is {}", "draw {}", "show {}"]
        if leads:
            plain = main.removesuffix(" of")
        said += [f"{text} against {ground}" for text, leads in placed if not leads]
        said += [f"{plain}, {bare}", f"{plain}, with {ground}"]
    if len(scene.shapes) == 1 and not leads:
        with_word = "com" if language == "pt" else "with"
        said.append(f"{ground} {with_word} {main}")
    said += [pattern.format(said[0]) for pattern in extra]
    if scene.background == "white":
        said += [text for text, leads in placed if not leads] or [plain]
    return list(dict.fromkeys(said))


def canonical(scene: Scene, language: str) -> str:
    """Return the one sentence by which a scene is known in a language."""
    return captions(scene, language)[0]
