"""What a run of the built-in model says of the code that it wrote: see `domain.closing`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from svc_chat.domain.assistants.prompt import language_of
from svc_chat.domain.assistants.tools import DID_NOT_WORK
from svc_chat.domain.closing import failed, printed, told, without_names
from svc_chat.domain.table_plan import plan_of
from svc_chat.engine.threads import Body


def computed(body: Mapping[str, Any], steps: Sequence[Body]) -> str | None:
    """Return the sentence that ends a run; None where a model has to write it.

    That is with any other model, and where the last thing done was not to run one piece of code.
    """
    done = [step for step in steps if step["type"] == "tool_calls"]
    if not body["_builtin"] or not done or done[-1] is not _before_message(steps):
        return None
    call, *others = done[-1]["step_details"]["tool_calls"]
    if others or call["type"] != "code_interpreter":
        return None
    plan = plan_of(call["code_interpreter"]["input"])
    language = language_of(without_names(body["_question"], plan))
    if call.get("_failed"):
        return failed(language, call["_told"].removeprefix(DID_NOT_WORK))
    outputs = call["code_interpreter"]["outputs"]
    if plan is not None:
        return told(plan, language, "\n".join(one["logs"] for one in outputs if one["type"] == "logs"))
    return printed(language, call["_told"] if outputs or call.get("_files") else "")


def _before_message(steps: Sequence[Body]) -> Body | None:
    """Return the last step but for the message that is being written."""
    last = [s for s in steps if s["type"] != "message_creation" or s["status"] != "in_progress"]
    return last[-1] if last else None
