"""What the model of a run reads: instructions, the thread's messages, and the run's own steps. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from svc_chat.domain.analysis import PYTHON
from svc_chat.domain.conversation import composed
from svc_chat.engine.base import Message
from svc_chat.engine.threads import Body

SEARCH = "file_search"
"""Name under which models call the search that is made here; that of the function for code is PYTHON."""
Language = Literal["en", "pt"]
_CITE = {
    "en": "Answer only from the numbered passages. Cite them like [1]. If they do not hold the answer, say so.",
    "pt": "Responda apenas com os trechos numerados. Cite-os como [1]. Se eles não tiverem a resposta, diga isso.",
}
_PASSAGES = {"en": "Passages:", "pt": "Trechos:"}
_QUESTION = {"en": "Question:", "pt": "Pergunta:"}
"""The built-in model was trained on exactly this form; svc-rag asks in it as well."""
_PORTUGUESE = re.compile(
    r"\b(que|qual|quais|quem|como|onde|quando|quanto|quantos|quantas|por|para|uma?|não|são|é|dos?|das?|nos?|nas?|os|as|"
    r"com|de|em|o|e|ao|pel[oa]s?|mais|meus?|minhas?|eu|você|favor|quero|mostre|calcule|diga|conte|contar|soma|maior|"
    r"menor|linhas|colunas|valor|valores|arquivo|tabela)\b|[ãõçáéíóúâêô]",
    re.IGNORECASE,
)
_ENGLISH = re.compile(
    r"\b(the|of|is|are|what|which|who|how|where|when|why|does|do|did|for|and|to|in|by|from|with|that|"
    r"there|please|show|give|rows|columns|value|values|my|i|you|can|an)\b",
    re.IGNORECASE,
)


def language_of(text: str) -> Language:
    """Return which of the two languages a question is written in; English when it could be either."""
    return "pt" if len(_PORTUGUESE.findall(text)) > len(_ENGLISH.findall(text)) else "en"


def system(*parts: str | None) -> tuple[Message, ...]:
    """Return the system's turn, if there is anything to say."""
    told = "\n\n".join(part for part in parts if part and part.strip())
    return (Message("system", told),) if told else ()


def with_passages(turns: Sequence[Message], steps: Sequence[Body]) -> tuple[Message, ...]:
    """Put what a run's first search found before the question that it was made for."""
    call = first_search(steps)
    asked = max((n for n, turn in enumerate(turns) if turn.role == "user"), default=None)
    if call is None or asked is None or not call["file_search"].get("results"):
        return tuple(turns)
    question = turns[asked].content
    language = language_of(question)
    content = f"{_PASSAGES[language]}\n{call['_told']}\n\n{_QUESTION[language]} {question}"
    read = [*turns]
    read[asked] = replace(read[asked], content=content)
    instructions = [turn.content for turn in turns if turn.role == "system"]
    rest = [turn for turn in read if turn.role != "system"]
    return (Message("system", "\n\n".join([*instructions, _CITE[language]])), *rest)


def first_search(steps: Sequence[Body]) -> Body | None:
    """Return the search that a run began with, without being asked to by the model."""
    if not steps or steps[0]["type"] != "tool_calls":
        return None
    call: Body = steps[0]["step_details"]["tool_calls"][0]
    return call if call.get("_first") and "_told" in call else None


def thread_turns(
    messages: Sequence[Body], last: int | None, picture_url: Callable[[str], str]
) -> tuple[Message, ...]:
    """Return the turns of a thread, all or the `last` ones; `picture_url` gives the URL of a file."""
    read = messages[-last:] if last is not None else messages
    turns = tuple(turn for message in read if (turn := _turn(message, picture_url)) is not None)
    return turns or (Message("user", ""),)


def _turn(message: Body, picture_url: Callable[[str], str]) -> Message | None:
    texts: list[str | None] = []
    images: list[str] = []
    for part in message["content"]:
        if part["type"] == "text":
            texts.append(part["text"]["value"])
        elif message["role"] == "user":
            texts.append(None)
            url = part["image_url"]["url"] if part["type"] == "image_url" else None
            images.append(url or picture_url(part["image_file"]["file_id"]))
    if not texts or (message["role"] == "assistant" and not any(texts)):
        return None
    content, pictures = composed(texts, images) if images else ("\n".join(t or "" for t in texts), ())
    return Message(message["role"], content, images=pictures)


def own_turns(steps: Sequence[Body], messages: Mapping[str, Body]) -> tuple[Message, ...]:
    """Return what a run has said and done so far; the message that is being written is left out."""
    turns: list[Message] = []
    for step in steps:
        details = step["step_details"]
        if step["type"] == "tool_calls" and details["tool_calls"][0].get("_first"):
            if not details["tool_calls"][0]["file_search"].get("results"):
                _add_calls(
                    turns, details["tool_calls"]
                )  # that nothing was found, or why not, is worth a turn
        elif step["type"] == "tool_calls":
            _add_calls(turns, details["tool_calls"])
        elif step["status"] != "in_progress":
            message = messages[details["message_creation"]["message_id"]]
            text = "".join(part["text"]["value"] for part in message["content"] if part["type"] == "text")
            turns.append(Message("assistant", text))
    return tuple(turns)


def _add_calls(turns: list[Message], calls: Sequence[Body]) -> None:
    made = tuple(
        {"id": call["id"], "type": "function", "function": _function(call)}
        for call in calls
    )  # fmt: skip
    if turns and turns[-1].role == "assistant" and not turns[-1].tool_calls:
        turns[-1] = Message("assistant", turns[-1].content, tool_calls=made)
    else:
        turns.append(Message("assistant", "", tool_calls=made))
    turns += [Message("tool", _told(call), tool_call_id=call["id"]) for call in calls]


def _function(call: Body) -> dict[str, str]:
    if call["type"] == "function":
        return {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}
    if call["type"] == "code_interpreter":
        return {"name": PYTHON, "arguments": _arguments(code=call["code_interpreter"]["input"])}
    return {"name": SEARCH, "arguments": _arguments(query=call["_query"])}


def _arguments(**values: str) -> str:
    """Write a call as models write it: letters with accents as they are."""
    return json.dumps(values, ensure_ascii=False)


def _told(call: Body) -> str:
    told = call["function"]["output"] if call["type"] == "function" else call.get("_told")
    return told or ""


def model_tools(tools: Sequence[Body], python: str, search: str) -> tuple[dict[str, Any], ...]:
    """Return the functions that a model is offered for an assistant's tools; the texts describe those of ours."""
    offered = []
    for tool in tools:
        if tool["type"] == "function":
            offered.append({"type": "function", "function": dict(tool["function"])})
        elif tool["type"] == "code_interpreter":
            offered.append(_one_text(PYTHON, python, "code", "Python source code."))
        else:
            offered.append(_one_text(SEARCH, search, "query", "What to look for, in a few words."))
    return tuple(offered)


def _one_text(name: str, description: str, field: str, what: str) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {field: {"type": "string", "description": what}},
        "required": [field],
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


def model_choice(choice: Any) -> Any:
    """Return the `tool_choice` of the chat API for that of a run."""
    if isinstance(choice, Mapping) and choice.get("type") in ("code_interpreter", "file_search"):
        name = PYTHON if choice["type"] == "code_interpreter" else SEARCH
        return {"type": "function", "function": {"name": name}}
    return choice
