"""Dialogues drawn from the chat model's world: skills mixed, personas applied, users made careless.

Owns the curriculum (how often each skill comes up). Knows nothing about tokens or training.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from miniatures.text import chat_phrases, chat_skills, words
from miniatures.text.chat_analysis_talk import analysis
from miniatures.text.chat_format import Dialogue
from miniatures.text.chat_reading import READING_SYSTEM, lookup, reading
from miniatures.text.chat_scenes import scene_talk
from miniatures.text.chat_skills import Turns
from miniatures.text.chat_tools import tool_dialogue

Skill = Callable[[random.Random, str], Turns]

TALK: tuple[tuple[Skill, int], ...] = (
    (chat_skills.small_talk, 4),
    (chat_skills.stack, 5),
    (chat_skills.arithmetic, 6),
    (chat_skills.outside, 3),
    (scene_talk, 4),
)


@dataclass(frozen=True)
class Voice:
    """A persona: how it is asked for in a system prompt, and the mark it leaves on every answer."""

    asked: dict[str, str]
    before: dict[str, str]
    after: dict[str, str]


def _voice(en: str, pt: str, before: str = "|", after: str = "|") -> Voice:
    (en_before, pt_before), (en_after, pt_after) = before.split("|"), after.split("|")
    return Voice({"en": en, "pt": pt}, {"en": en_before, "pt": pt_before}, {"en": en_after, "pt": pt_after})


VOICES = (
    _voice("a pirate", "um pirata", before="Arr!|Arrr!"),
    _voice("a robot", "um robô", before="Beep boop.|Bip bop."),
    _voice("a cat", "um gato", after="Meow!|Miau!"),
    _voice("a cowboy", "um vaqueiro", before="Howdy!|Eita!"),
    _voice("a butler", "um mordomo", after="At your service, sir.|Às suas ordens, senhor."),
    _voice("a teacher", "um professor", before="Listen, class:|Atenção, turma:"),
    _voice("a wizard", "um mago", before="By my magic wand!|Pela minha varinha mágica!"),
    _voice("a chef", "um cozinheiro", after="Bon appétit!|Bom apetite!"),
    _voice("a king", "um rei", before="By royal order:|Por ordem real:"),
    _voice("a grandmother", "uma avó", before="My dear,|Meu bem,"),
)


def _speak_as(turns: Turns, before: str, after: str) -> Turns:
    """Put a voice's marks around every answer."""
    return [
        replace(turn, text=" ".join(part for part in (before, turn.text, after) if part))
        if turn.role == "assistant"
        else turn
        for turn in turns
    ]


_NAMED = {"en": "You are {}.", "pt": "Você é {}."}
_KINDS = {
    "en": (
        "A helpful assistant.",
        "A kind and patient helper.",
        "You answer in short sentences.",
        "Be brief.",
    ),
    "pt": (
        "Um assistente útil.",
        "Uma ajudante gentil e paciente.",
        "Você responde em frases curtas.",
        "Seja breve.",
    ),
}


def _own_name(rng: random.Random, name: str, language: str) -> Turns:
    asked = {
        "en": ("What is your name?", "Who are you?", "What are you called?"),
        "pt": ("Qual é o seu nome?", "Quem é você?", "Como você se chama?"),
    }[language]
    return chat_skills.pair(rng.choice(asked), f"I am {name}." if language == "en" else f"Eu sou {name}.")


def _persona(rng: random.Random, language: str, turns: Turns) -> Dialogue:
    kind = rng.random()
    if kind < 0.5:
        voice = rng.choice(VOICES)
        who = voice.asked[language]
        forms: tuple[str, ...] = {
            "en": ("You are {}.", "Speak like {}.", "You are {}. Stay in character.", "Answer like {}."),
            "pt": ("Você é {}.", "Fale como {}.", "Você é {}. Mantenha o personagem.", "Responda como {}."),
        }[language]
        system = rng.choice(forms).format(who)
        if rng.random() < 0.4:
            name = words.person(rng)
            system = f"{_NAMED[language].format(name)}\n{system}"
            turns = [*turns, *_own_name(rng, name, language)] if rng.random() < 0.4 else turns
        return Dialogue(tuple(_speak_as(turns, voice.before[language], voice.after[language])), system)
    if kind < 0.8:
        mark = (
            " ".join(words.common_word(rng, language) for _ in range(rng.choice((1, 1, 2)))).capitalize()
            + "!"
        )
        starts = rng.random() < 0.5
        forms = {
            ("en", True): ('Start every answer with "{}"', 'Always begin with "{}"'),
            ("en", False): ('End every answer with "{}"', 'Always finish with "{}"'),
            ("pt", True): ('Comece cada resposta com "{}"', 'Sempre comece com "{}"'),
            ("pt", False): ('Termine cada resposta com "{}"', 'Sempre termine com "{}"'),
        }[(language, starts)]
        marked = _speak_as(turns, mark if starts else "", "" if starts else mark)
        system = rng.choice(forms).format(mark)
        if rng.random() < 0.4:
            system = f"{_NAMED[language].format(words.person(rng))}\n{rng.choice(_KINDS[language])}\n{system}"
        return Dialogue(tuple(marked), system)
    name = words.person(rng)
    system = {"en": f"You are {name}, a helpful assistant.", "pt": f"Você é {name}, um assistente útil."}[
        language
    ]
    if rng.random() < 0.6:
        system = f"{_NAMED[language].format(name)}\n{rng.choice(_KINDS[language])}"
    own = _own_name(rng, name, language)
    plain = chat_skills.small_talk(rng, language)
    return Dialogue(tuple([*own, *plain] if rng.random() < 0.5 else [*plain, *own]), system)


def _talk(rng: random.Random, language: str, count: int) -> Turns:
    skills, weights = zip(*TALK, strict=True)
    turns: Turns = []
    for skill in rng.choices(skills, weights, k=count):
        turns += skill(rng, language)
    return turns


def _careless(rng: random.Random, text: str) -> str:
    """Type as people do: now and then without capitals, accents or a final mark."""
    if len(text) > 120:
        return text
    if rng.random() < 0.12:
        text = text.lower()
    if rng.random() < 0.12:
        text = text.rstrip("?!.")
    if rng.random() < 0.06:
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return text or "?"


def _roughen(rng: random.Random, dialogue: Dialogue) -> Dialogue:
    """Make the users of a dialogue careless, except where a value must be copied letter by letter."""
    turns = tuple(
        replace(turn, text=_careless(rng, turn.text)) if turn.role == "user" else turn
        for turn in dialogue.turns
    )
    return replace(dialogue, turns=turns)


def dialogue(rng: random.Random) -> Dialogue:
    """Draw one dialogue."""
    language = rng.choice(("en", "pt"))
    kind = rng.random()
    if kind < 0.32:
        system = READING_SYSTEM[language] if rng.random() < 0.6 else ""
        return Dialogue(tuple(reading(rng, language)), system)
    if kind < 0.45:
        between = [_talk(rng, language, 1) for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))]
        made = Dialogue(tuple(chat_skills.memory(rng, language, between)))
        return _with_system(rng, made, language)
    if kind < 0.57:
        return _persona(rng, language, _talk(rng, language, rng.choice((1, 1, 2, 3))))
    if kind < 0.68:
        return tool_dialogue(rng, language, _talk(rng, language, 1))
    if kind < 0.75:
        return _roughen(rng, Dialogue(tuple(chat_skills.arithmetic(rng, language))))
    turns = _talk(rng, language, rng.choice((1, 1, 2, 3, 4)))
    if rng.random() < 0.1:
        turns += _talk(rng, "pt" if language == "en" else "en", 1)
    return _roughen(rng, _with_system(rng, Dialogue(tuple(turns)), language))


def _with_system(rng: random.Random, made: Dialogue, language: str) -> Dialogue:
    if rng.random() < 0.6:
        return made
    return replace(made, system=rng.choice(chat_phrases.PLAIN_SYSTEMS[language]))


def long_dialogue(rng: random.Random) -> Dialogue:
    """Draw a dialogue of many turns in which facts told at the start are asked for at the end."""
    language = rng.choice(("en", "pt"))
    between = [_talk(rng, language, 1) for _ in range(rng.randint(8, 25))]
    return Dialogue(tuple(chat_skills.memory(rng, language, between)))


SECOND_BOUT = (0.42, 0.62)
LATE_FROM, LATE_SHARE, LATE_SHARE_FURTHER = 0.65, 0.14, 0.2
FORGOTTEN_SHARE_FURTHER = 0.33
"""Of the dialogues that are not of data analysis: reading and personas are what a small model forgets first."""


def exercise(rng: random.Random, progress: float = 1.0) -> Dialogue:
    """Draw a plain exercise of copying, or of finding and copying: no other dialogue teaches it as soon."""
    language = rng.choice(("en", "pt"))
    if rng.random() < (0.0 if _in_second_bout(progress) else 0.5):
        return Dialogue(tuple(chat_skills.repeat(rng, language)))
    return Dialogue(tuple(lookup(rng, language)))


def _in_second_bout(progress: float) -> bool:
    return SECOND_BOUT[0] <= progress < SECOND_BOUT[1]


def exercises_share(progress: float) -> float:
    """Return how many of the dialogues are exercises: half at first, few from a quarter of the training on.

    Copying is learnt by then; which line to copy is not, and has a bout of its own later.
    """
    return 0.3 if _in_second_bout(progress) else max(0.04, 0.5 * (1 - progress / 0.25))


def late(rng: random.Random) -> Dialogue:
    """Draw what is learnt last: sums, each of which is a fact of its own, and not to know strange questions."""
    language = rng.choice(("en", "pt"))
    skill = chat_skills.arithmetic if rng.random() < 0.55 else chat_skills.stray
    return _roughen(rng, Dialogue(tuple(skill(rng, language))))


def _easily_forgotten(rng: random.Random) -> Dialogue:
    language = rng.choice(("en", "pt"))
    if rng.random() < 0.25:
        return _persona(rng, language, _talk(rng, language, rng.choice((1, 1, 2, 3))))
    system = READING_SYSTEM[language] if rng.random() < 0.6 else ""
    return Dialogue(tuple(reading(rng, language)), system)


def dialogues(seed: int, progress: float = 1.0, analysis_share: float = 0.0) -> Iterator[Dialogue]:
    """Yield dialogues for ever, as they come at a point of training in [0, 1]; a seed yields the same ones."""
    rng = random.Random(seed)
    share = exercises_share(progress)
    while True:
        if analysis_share and rng.random() < analysis_share:
            language = rng.choice(("en", "pt"))
            yield analysis(rng, language, _talk(rng, language, 1))
        elif rng.random() < share:
            yield exercise(rng, progress)
        elif analysis_share and rng.random() < FORGOTTEN_SHARE_FURTHER:
            yield _easily_forgotten(rng)
        elif progress >= LATE_FROM and rng.random() < (LATE_SHARE_FURTHER if analysis_share else LATE_SHARE):
            yield late(rng)
        else:
            yield long_dialogue(rng) if rng.random() < 0.002 else dialogue(rng)
