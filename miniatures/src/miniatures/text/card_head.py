"""The heads of the text miniatures' cards: what a hub reads of a model, and its title. No two are alike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Head:
    """A model's name, what it is for in a few words, and what a hub sorts it by."""

    name: str
    purpose: str
    languages: tuple[str, ...]
    library: str
    task: str
    tags: tuple[str, ...]

    def __str__(self) -> str:
        return f"""---
model_name: {self.name}
license: mit
language: [{", ".join(self.languages)}]
library_name: {self.library}
pipeline_tag: {self.task}
tags: [{", ".join(self.tags)}]
---
# {self.name}: {self.purpose}
"""


CHAT = Head(
    "oficina-chat",
    "conversation in two languages",
    ("pt", "en"),
    "gguf",
    "text-generation",
    ("conversational",),
)
ANALYSIS = Head(
    "oficina-analysis", "code about tables", ("pt", "en"), "gguf", "text-generation", ("code", "tables")
)
ENGLISH = Head(
    "en-pt", "English to Brazilian Portuguese", ("en", "pt"), "transformers", "translation", ("en-to-pt",)
)
PORTUGUESE = Head(
    "pt-en", "Brazilian Portuguese to English", ("pt", "en"), "transformers", "translation", ("pt-to-en",)
)
HEADS = (CHAT, ANALYSIS, ENGLISH, PORTUGUESE)
