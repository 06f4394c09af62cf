"""The chat model's prompt format: special tokens, the Jinja template, and the same thing in Python.

Owns the text between messages. Knows nothing about what the messages say. The Python rendering
exists because training needs to know which characters the model must learn to write; a test holds
it equal to the template.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
TOOL_CALL, TOOL_CALL_END = "<tool_call>", "</tool_call>"
TOOL_RESPONSE, TOOL_RESPONSE_END = "<tool_response>", "</tool_response>"
SPECIAL_TOKENS = (PAD, START, END, TOOL_CALL, TOOL_CALL_END, TOOL_RESPONSE, TOOL_RESPONSE_END)

# Tools are shown as signatures, not as JSON: a tenth of the tokens, and no dependence on how a
# runtime's `tojson` orders keys. Calls and results keep Qwen2.5's form, which parsers know.
CHAT_TEMPLATE = """\
{%- if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set rest = messages[1:] %}\
{%- else %}{% set system = '' %}{% set rest = messages %}{% endif %}\
{%- if system or tools %}<|im_start|>system
{{ system }}\
{%- if tools %}{% if system %}{{ '\\n\\n' }}{% endif %}Tools:
{% for tool in tools %}{% set f = tool.function if tool.function is defined else tool %}\
{{ f.name }}({% for p in f.parameters.properties %}{{ p }}{% if not loop.last %}, {% endif %}{% endfor %})\
: {{ f.description }}
{% endfor %}{% endif %}<|im_end|>
{% endif %}\
{%- for message in rest %}\
{%- if message.role == 'assistant' and message.tool_calls %}<|im_start|>assistant
{% for call in message.tool_calls %}{% set f = call.function if call.function is defined else call %}<tool_call>
{"name": "{{ f.name }}", "arguments": {{ f.arguments if f.arguments is string else f.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% elif message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% else %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif %}{% endfor %}\
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


@dataclass(frozen=True)
class Tool:
    """A function the model may call; every parameter is a string."""

    name: str
    description: str
    parameters: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the OpenAI form."""
        properties = {name: {"type": "string"} for name in self.parameters}
        schema = {"type": "object", "properties": properties, "required": list(self.parameters)}
        function = {"name": self.name, "description": self.description, "parameters": schema}
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class Message:
    """One turn; an assistant's tool call is written out in `text`, tags included."""

    role: str
    text: str


@dataclass(frozen=True)
class Dialogue:
    """What is said, oldest first, and the tools on offer."""

    turns: tuple[Message, ...]
    system: str = ""
    tools: tuple[Tool, ...] = field(default=())


def segments(dialogue: Dialogue) -> Iterator[tuple[str, bool]]:
    """Yield pieces of the rendered dialogue; True where the model is the one who writes."""
    if dialogue.system or dialogue.tools:
        head = dialogue.system
        if dialogue.tools:
            head += "\n\n" if head else ""
            head += "Tools:\n" + "".join(
                f"{tool.name}({', '.join(tool.parameters)}): {tool.description}\n" for tool in dialogue.tools
            )
        yield f"{START}system\n{head}{END}\n", False
    for turn in dialogue.turns:
        if turn.role == "assistant":
            yield f"{START}assistant\n", False
            yield f"{turn.text}{END}", True
            yield "\n", False
        elif turn.role == "tool":
            yield f"{START}user\n{TOOL_RESPONSE}\n{turn.text}\n{TOOL_RESPONSE_END}{END}\n", False
        else:
            yield f"{START}{turn.role}\n{turn.text}{END}\n", False


def render(dialogue: Dialogue) -> str:
    """Return the whole dialogue as the model sees it."""
    return "".join(text for text, _ in segments(dialogue))


def as_messages(turns: Sequence[Message], system: str = "") -> list[dict[str, Any]]:
    """Return the OpenAI form of a dialogue without tool calls."""
    head = [{"role": "system", "content": system}] if system else []
    return head + [{"role": turn.role, "content": turn.text} for turn in turns]
