"""Skill of tools: choose one from the signatures given, call it as JSON, and use what it returns."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from miniatures.scenes import grammar
from miniatures.scenes.model import training_scene
from miniatures.text import words
from miniatures.text.chat_format import TOOL_CALL, TOOL_CALL_END, Dialogue, Message, Tool
from miniatures.text.chat_reading import fact


@dataclass(frozen=True)
class Request:
    """What a user asks of a tool: wordings per language with {x}, and the kind of value."""

    tool: Tool
    kind: str
    asked: dict[str, str]


REQUESTS: tuple[Request, ...] = (
    Request(
        Tool("get_weather", "Get the weather of a city.", ("city",)),
        "city",
        {
            "en": "What is the weather in {x}?|How is the weather in {x}?|Weather in {x}|Is it raining in {x}?|"
            "Will it be hot in {x} today?",
            "pt": "Como está o tempo em {x}?|Qual é o clima em {x}?|Previsão do tempo em {x}|Está chovendo em {x}?|"
            "Faz calor em {x} hoje?",
        },
    ),
    Request(
        Tool("get_time", "Get the time in a city.", ("city",)),
        "city",
        {
            "en": "What time is it in {x}?|Tell me the time in {x}|What is the time in {x} now?",
            "pt": "Que horas são em {x}?|Me diga a hora em {x}|Que horas são agora em {x}?",
        },
    ),
    Request(
        Tool("generate_image", "Draw a picture from a text.", ("prompt",)),
        "scene",
        {
            "en": "Draw {x}|Make a picture of {x}|Generate an image of {x}|Please draw {x}.|Create an image with {x}",
            "pt": "Desenhe {x}|Faça uma imagem de {x}|Gere uma imagem com {x}|Por favor, desenhe {x}.|Crie uma "
            "imagem de {x}",
        },
    ),
    Request(
        Tool("search_documents", "Search the user's documents.", ("query",)),
        "query",
        {
            "en": "Search my documents for {x}|Find {x} in my files|Look for {x} in the documents|Search for {x}",
            "pt": "Procure {x} nos meus documentos|Ache {x} nos meus arquivos|Busque {x} nos documentos|Pesquise {x}",
        },
    ),
    Request(
        Tool("speak", "Read a text aloud.", ("text",)),
        "query",
        {
            "en": 'Say "{x}" aloud|Read "{x}" aloud|Speak: {x}|Read this text: {x}',
            "pt": 'Diga "{x}" em voz alta|Leia "{x}" em voz alta|Fale: {x}|Leia este texto: {x}',
        },
    ),
    Request(
        Tool("translate", "Translate a text.", ("text",)),
        "query",
        {
            "en": 'Translate "{x}"|Translate this: {x}|How do you translate "{x}"?|Translate {x}',
            "pt": 'Traduza "{x}"|Traduza isto: {x}|Como se traduz "{x}"?|Traduza {x}',
        },
    ),
)


def _value(rng: random.Random, kind: str, language: str) -> str:
    if kind == "city":
        return words.city(rng)
    if kind == "scene":
        return rng.choice(grammar.captions(training_scene(rng), language)[:2])
    return " ".join(words.common_word(rng, language) for _ in range(rng.randint(1, 4)))


def _unknown(rng: random.Random) -> Request:
    """Make up a tool that must be read to be called."""
    verb, noun, parameter = (words.common_word(rng, "en") for _ in range(3))
    tool = Tool(f"{verb}_{noun}", f"{verb.capitalize()} the {noun}.", (parameter,))
    asked = {"en": f"{verb.capitalize()} the {noun} {{x}}|{verb} {noun} {{x}}", "pt": f"{verb} {noun} {{x}}"}
    return Request(tool, rng.choice(("city", "query")), asked)


def call_text(name: str, arguments: dict[str, str]) -> str:
    """Return a tool call as the model writes it."""
    body = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"{TOOL_CALL}\n{body}\n{TOOL_CALL_END}"


def tool_dialogue(rng: random.Random, language: str, plain: list[Message]) -> Dialogue:
    """Offer one to three tools; ask for one, for two in turn, or (with `plain`) for none of them."""
    pool = [*REQUESTS, _unknown(rng), _unknown(rng)]
    offered = rng.sample(pool, rng.choice((1, 1, 2, 3)))
    turns: list[Message] = list(plain) if rng.random() < 0.3 else []
    if rng.random() < 0.88:
        request = rng.choice(offered)
        value = _value(rng, request.kind, language)
        turns.append(Message("user", rng.choice(request.asked[language].split("|")).format(x=value)))
        turns.append(Message("assistant", call_text(request.tool.name, {request.tool.parameters[0]: value})))
        if rng.random() < 0.4:
            result = fact(rng, language).sentence
            turns += [Message("tool", result), Message("assistant", result)]
    else:
        turns = list(plain)
    return Dialogue(tuple(turns), tools=tuple(request.tool for request in offered))
