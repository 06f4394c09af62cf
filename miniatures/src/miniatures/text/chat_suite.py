"""The chat suite: 100 dialogues in two languages, each judged by a written rule.

Owns what is said to the model and what must come back. Knows nothing about how the model runs:
`chat_score` does that. Nothing here is generated, so a model cannot have been trained on it by seed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from miniatures.scenes.grammar import PORTUGUESE_SHAPES
from miniatures.scenes.model import SHAPES
from miniatures.text.chat_format import TOOL_CALL, TOOL_CALL_END, Tool
from miniatures.text.chat_reading import READING_SYSTEM, reading_prompt

Rule = Callable[[str], bool]


@dataclass(frozen=True)
class Case:
    """What the user says turn by turn; the rule judges the last answer."""

    skill: str
    language: str
    said: tuple[str, ...]
    rule: Rule
    system: str = ""
    tools: tuple[Tool, ...] = field(default=())


def holds(*wanted: str) -> Rule:
    """Accept an answer that holds every text, whatever the case of its letters."""
    return lambda answer: all(text.lower() in answer.lower() for text in wanted)


def number_is(value: int) -> Rule:
    """Accept an answer whose last number is the right one."""

    def judge(answer: str) -> bool:
        numbers = "".join(letter if letter.isdigit() else " " for letter in answer).split()
        return bool(numbers) and int(numbers[-1]) == value

    return judge


def calls(name: str, **arguments: str) -> Rule:
    """Accept one tool call that is valid JSON with this name and these arguments."""

    def judge(answer: str) -> bool:
        if not answer.strip().startswith(TOOL_CALL) or TOOL_CALL_END not in answer:
            return False
        body = answer.split(TOOL_CALL, 1)[1].split(TOOL_CALL_END, 1)[0]
        try:
            call: Any = json.loads(body)
        except ValueError:
            return False
        return isinstance(call, dict) and call == {"name": name, "arguments": arguments}

    return judge


def says_a_scene(language: str) -> Rule:
    """Accept a sentence that names a known shape and is not the answer for the unknown."""
    shapes = SHAPES if language == "en" else [names[1] for names in PORTUGUESE_SHAPES.values()]
    return lambda answer: any(shape in answer.lower() for shape in shapes)


def _memory() -> Iterator[Case]:
    for language, told, filler, asked, value in (
        ("en", "My name is Ana.", ("What is 2 + 2?",), "What is my name?", "Ana"),
        ("en", "Hi, I'm Oliver!", ("How are you?",), "Do you remember my name?", "Oliver"),
        ("en", "I am Beatriz.", (), "What's my name?", "Beatriz"),
        ("en", "Call me Grace", ("Thank you!", "What is Oficina?"), "What is my name?", "Grace"),
        ("en", "I live in Recife.", (), "Where do I live?", "Recife"),
        (
            "en",
            "My favourite colour is green.",
            ("What is 3 plus 4?",),
            "What is my favourite colour?",
            "green",
        ),
        ("en", "I am 34 years old.", (), "How old am I?", "34"),
        ("pt", "Meu nome é Carla.", ("Quanto é 2 + 3?",), "Qual é o meu nome?", "Carla"),
        ("pt", "Oi, eu sou Pedro!", ("Como vai?",), "Você lembra o meu nome?", "Pedro"),
        ("pt", "Me chamo Helena.", (), "Como eu me chamo?", "Helena"),
        ("pt", "Pode me chamar de Caio.", ("Obrigado!", "O que é a Oficina?"), "Qual é o meu nome?", "Caio"),
        ("pt", "Moro em Curitiba.", (), "Onde eu moro?", "Curitiba"),
        ("pt", "Minha cor favorita é azul.", ("Quanto é 3 mais 4?",), "Qual é a minha cor favorita?", "azul"),
        ("pt", "Tenho 27 anos.", (), "Quantos anos eu tenho?", "27"),
    ):
        yield Case("memory", language, (told, *filler, asked), holds(value))


def _persona() -> Iterator[Case]:
    for language, system, asked, mark in (
        ("en", "You are a pirate.", "Hello!", "arr"),
        ("en", "You are Rex.\nYou are a robot. Stay in character.", "How are you?", "beep"),
        ("en", "Speak like a cat.", "What is 2 + 3?", "meow"),
        ("en", 'Start every answer with "Indeed!"', "Thank you!", "indeed!"),
        ("en", "You are Nina.\nA kind and patient helper.", "What is your name?", "nina"),
        ("en", "You are Walter, a helpful assistant.", "Who are you?", "walter"),
        ("pt", "Você é um pirata.", "Olá!", "arr"),
        ("pt", "Você é Rex.\nVocê é um robô. Mantenha o personagem.", "Como vai?", "bip"),
        ("pt", "Fale como um gato.", "Quanto é 2 + 3?", "miau"),
        ("pt", 'Comece cada resposta com "Claro!"', "Obrigado!", "claro!"),
        ("pt", "Você é Luana.\nUma ajudante gentil e paciente.", "Qual é o seu nome?", "luana"),
        ("pt", "Você é Bruno, um assistente útil.", "Quem é você?", "bruno"),
    ):
        yield Case("persona", language, (asked,), holds(mark), system)


_SHOP = {
    "en": [
        "The warranty of the kettle lasts 24 months.",
        "The kettle can be returned within 30 days.",
        "The shop closes at 18:00.",
    ],
    "pt": [
        "A garantia de Chaleira é de 24 meses.",
        "A devolução de produtos pode ser feita em até 30 dias.",
        "A loja Aurora fecha às 18 horas.",
    ],
}
_HOUSE = {
    "en": ["The museum is in Olinda.", "The library belongs to Marta.", "The hotel has 45 rooms. The hotel costs 200 reais."],
    "pt": ["A sede de Aurora fica em Olinda.", "O dono de Biblioteca é Marta.", "O hotel Sol tem 45 quartos."],
}  # fmt: skip


def _reading() -> Iterator[Case]:
    for language, passages, asked, value, number in (
        ("en", _SHOP, "How long is the warranty of the kettle?", "24 months", 1),
        ("en", _SHOP, "How long do I have to return the kettle?", "30 days", 2),
        ("en", _SHOP, "When does the shop close?", "18:00", 3),
        ("en", _HOUSE, "Where is the museum?", "Olinda", 1),
        ("en", _HOUSE, "Who owns the library?", "Marta", 2),
        ("en", _HOUSE, "How many rooms does the hotel have?", "45", 3),
        ("en", _HOUSE, "How much does the hotel cost?", "200", 3),
        ("pt", _SHOP, "Qual é a garantia de Chaleira?", "24 meses", 1),
        ("pt", _SHOP, "Qual é o prazo de devolução de produtos?", "30 dias", 2),
        ("pt", _SHOP, "A que horas fecha a loja Aurora?", "18 horas", 3),
        ("pt", _HOUSE, "Onde fica a sede de Aurora?", "Olinda", 1),
        ("pt", _HOUSE, "Quem é o dono de Biblioteca?", "Marta", 2),
        ("pt", _HOUSE, "Quantos quartos tem o hotel Sol?", "45", 3),
        ("pt", _SHOP, "Quanto tempo dura a garantia de Chaleira?", "24 meses", 1),
    ):
        prompt = reading_prompt(passages[language], asked, language)
        yield Case("reading", language, (prompt,), holds(value, f"[{number}]"), READING_SYSTEM[language])
    for language, passages, asked in (
        ("en", _SHOP, "Who wrote the newspaper?"),
        ("en", _SHOP, "What is the password of the router?"),
        ("en", _HOUSE, "How long is the warranty of the oven?"),
        ("en", _HOUSE, "When did the party take place?"),
        ("en", _SHOP, "Where is the castle?"),
        ("pt", _SHOP, "Quem escreveu o livro Jornal?"),
        ("pt", _SHOP, "Qual é a senha de Roteador?"),
        ("pt", _HOUSE, "Qual é a garantia de Forno?"),
        ("pt", _HOUSE, "Quando foi a festa de Rosa?"),
        ("pt", _SHOP, "Onde fica a sede de Castelo?"),
    ):
        said = "do not say" if language == "en" else "não dizem"
        prompt = reading_prompt(passages[language], asked, language)
        yield Case("not held", language, (prompt,), holds(said), READING_SYSTEM[language])


def _stack() -> Iterator[Case]:
    for language, asked, value in (
        ("en", "What is Oficina?", "services"),
        ("en", "What does this stack do?", "services"),
        ("en", "Who are you?", "model"),
        ("en", "What can you do?", "answer"),
        ("en", "What does the vision service do?", "picture"),
        ("en", "What does the speech service do?", "aloud"),
        ("en", "Does Oficina work offline?", "computer"),
        ("pt", "O que é a Oficina?", "serviços"),
        ("pt", "O que este sistema faz?", "serviços"),
        ("pt", "Quem é você?", "modelo"),
        ("pt", "O que você sabe fazer?", "responder"),
        ("pt", "O que faz o serviço de visão?", "imagem"),
        ("pt", "O que faz o serviço de fala?", "voz alta"),
        ("pt", "A Oficina funciona sem internet?", "computador"),
    ):
        yield Case("stack", language, (asked,), holds(value))


def _sums() -> Iterator[Case]:
    for language, asked, value in (
        ("en", "What is 2 + 2?", 4), ("en", "How much is 7 plus 5?", 12), ("en", "Calculate 15 - 6", 9),
        ("en", "What is 4 times 3?", 12), ("en", "9 + 9 =", 18), ("en", "What is 20 minus 8?", 12),
        ("en", "What is 13 + 4?", 17),
        ("pt", "Quanto é 2 + 2?", 4), ("pt", "Quanto é 7 mais 5?", 12), ("pt", "Calcule 15 - 6", 9),
        ("pt", "Quanto é 4 vezes 3?", 12), ("pt", "9 + 9 =", 18), ("pt", "Quanto é 20 menos 8?", 12),
        ("pt", "Quanto é 13 + 4?", 17),
    ):  # fmt: skip
        yield Case("arithmetic", language, (asked,), number_is(value))


_WEATHER = Tool("get_weather", "Get the weather of a city.", ("city",))
_DRAW = Tool("generate_image", "Draw a picture from a text.", ("prompt",))
_SPEAK = Tool("speak", "Read a text aloud.", ("text",))


def _tools() -> Iterator[Case]:
    weather, draw, speak = (_WEATHER,), (_WEATHER, _DRAW), (_SPEAK, _WEATHER)
    for language, tools, asked, rule in (
        ("en", weather, "What is the weather in Recife?", calls("get_weather", city="Recife")),
        ("en", weather, "Weather in Boston", calls("get_weather", city="Boston")),
        ("en", draw, "How is the weather in London?", calls("get_weather", city="London")),
        ("en", speak, 'Say "good morning" aloud', calls("speak", text="good morning")),
        ("en", speak, "Is it raining in Paris?", calls("get_weather", city="Paris")),
        ("pt", weather, "Como está o tempo em Recife?", calls("get_weather", city="Recife")),
        ("pt", weather, "Qual é o clima em Salvador?", calls("get_weather", city="Salvador")),
        ("pt", draw, "Está chovendo em Manaus?", calls("get_weather", city="Manaus")),
        ("pt", speak, 'Diga "bom dia" em voz alta', calls("speak", text="bom dia")),
        ("pt", speak, "Como está o tempo em Natal?", calls("get_weather", city="Natal")),
    ):
        yield Case("tool", language, (asked,), rule, tools=tools)


def _scenes() -> Iterator[Case]:
    for language, asked, rule in (
        ("en", "Describe a scene.", says_a_scene("en")),
        ("en", "What should I draw?", says_a_scene("en")),
        ("en", "Describe a scene with a red circle.", holds("red circle")),
        (
            "en",
            "The picture shows a blue star on a white background. What colour is the star?",
            holds("blue"),
        ),
        ("pt", "Descreva uma cena.", says_a_scene("pt")),
        ("pt", "O que devo desenhar?", says_a_scene("pt")),
        ("pt", "Descreva uma cena com um círculo vermelho.", holds("círculo vermelho")),
        (
            "pt",
            "A imagem mostra uma estrela azul sobre um fundo branco. De que cor é a estrela?",
            holds("azul"),
        ),
    ):
        yield Case("scene", language, (asked,), rule)


def _outside() -> Iterator[Case]:
    for language, asked in (
        ("en", "Who won the world cup?"),
        ("en", "Write a poem about the sea"),
        ("pt", "Quem ganhou a copa do mundo?"),
        ("pt", "Escreva um poema sobre o mar"),
    ):
        yield Case("outside", language, (asked,), holds("small" if language == "en" else "pequeno"))


def cases() -> tuple[Case, ...]:
    """Return the 100 dialogues."""
    return (
        *_memory(), *_persona(), *_reading(), *_stack(), *_sums(), *_tools(), *_scenes(), *_outside(),
    )  # fmt: skip
