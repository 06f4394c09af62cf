"""Forty questions from outside the chat model's world, in words that no training pattern uses.

The suite asks four such questions; these tell whether "I do not know" holds for what people really
ask. A right answer is fluent, short and says what the model is.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from miniatures.text.chat_suite import Case

_ASKED = {
    "en": (
        "How tall is Mount Everest?", "Which planet is closest to the sun?", "Can you explain photosynthesis?",
        "I want to learn to play the guitar, where should I start?", "What's the best pizza topping?",
        "Please write an email to my boss asking for a day off.", "Fix this code: for i in range(10) print(i)",
        "Name three famous painters.", "How many people live in Brazil?", "Is it going to rain tomorrow?",
        "Give me ten ideas for a birthday party", "Why do cats purr?", "Tell me something interesting.",
        "What happened in 1969?", "Compare Python with Java.", "My washing machine makes a strange noise.",
        "Who painted the Mona Lisa?", "How long does it take to boil an egg?", "Let's play a game!",
        "Could you proofread my essay?",
    ),
    "pt": (
        "Qual é a altura do Monte Everest?", "Que planeta fica mais perto do sol?", "Explica a fotossíntese?",
        "Quero aprender a tocar violão, por onde começo?", "Qual é o melhor sabor de pizza?",
        "Escreva um e-mail para o meu chefe pedindo um dia de folga.", "Corrija este código: for i in range(10) print(i)",
        "Cite três pintores famosos.", "Quantas pessoas vivem no Brasil?", "Vai chover amanhã?",
        "Me dê dez ideias para uma festa de aniversário", "Por que os gatos ronronam?", "Me conte algo interessante.",
        "O que aconteceu em 1969?", "Compare Python com Java.", "Minha máquina de lavar faz um barulho estranho.",
        "Quem pintou a Mona Lisa?", "Quanto tempo leva para cozinhar um ovo?", "Vamos jogar um jogo!",
        "Você pode revisar a minha redação?",
    ),
}  # fmt: skip
_SAYS = {"en": "small built-in model", "pt": "modelo pequeno embutido"}


def _says_what_it_is(language: str, answer: str) -> bool:
    return _SAYS[language] in answer and answer.rstrip().endswith(".") and len(answer) < 200


def outside_cases() -> Iterator[Case]:
    """Yield the forty questions, judged by one rule."""
    for language, questions in _ASKED.items():
        for asked in questions:
            yield Case(
                "outside its world",
                language,
                (asked,),
                partial(_says_what_it_is, language),
            )
