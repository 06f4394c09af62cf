"""A run while it is worked on: OpenAI's objects, and the numbered events that tell how they grew. Pure.

Every change marks what has to be written down; the objects that were written are all that is needed to go on.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from typing import Any

from servicekit.errors import ServiceError
from svc_chat.domain.assistants import permits
from svc_chat.domain.assistants.objects import (
    added,
    answer_message,
    image_part,
    new_step,
    shown,
    text_part,
    usage_json,
)
from svc_chat.engine.base import Usage
from svc_chat.engine.threads import Body, RunProgress, WholeRun

Events = list[dict[str, Any]]
_ENDS = {"cancelled": "cancelled_at", "expired": "expired_at", "failed": "failed_at"}
_MESSAGE_ENDS = {"cancelled": "run_cancelled", "expired": "run_expired", "failed": "run_failed"}


class RunState:
    """Owns a run's objects and the number of its next event."""

    def __init__(self, whole: WholeRun):
        self.body: dict[str, Any] = copy.deepcopy(dict(whole.run.body))
        self.steps: list[dict[str, Any]] = [copy.deepcopy(dict(step)) for step in whole.steps]
        self.messages = {m["id"]: copy.deepcopy(dict(m)) for m in whole.messages}
        self.next_number = whole.next_number
        self._changed_steps: dict[str, dict[str, Any]] = {}
        self._changed_messages: dict[str, dict[str, Any]] = {}
        self._run_changed = False

    @property
    def status(self) -> str:
        """The run's status."""
        return str(self.body["status"])

    @property
    def open_step(self) -> dict[str, Any] | None:
        """The step that is in progress."""
        last = self.steps[-1] if self.steps else None
        return last if last is not None and last["status"] == "in_progress" else None

    @property
    def open_message(self) -> dict[str, Any] | None:
        """The message that is being written."""
        step = self.open_step
        if step is None or step["type"] != "message_creation":
            return None
        return self.messages[step["step_details"]["message_creation"]["message_id"]]

    @property
    def written(self) -> str:
        """What there is of the message that is being written."""
        message = self.open_message
        return message["content"][-1]["text"]["value"] if message is not None else ""

    def created(self, thread: Body | None = None) -> Events:
        """Tell that it is there, and its thread before it when both are new."""
        events = [] if thread is None else [self._event("thread.created", thread)]
        return [*events, self._run("thread.run.created"), self._run("thread.run.queued")]

    def begun(self) -> Events:
        """Tell that it is worked on."""
        if self.status == "in_progress":
            return []
        self.body |= {"status": "in_progress", "started_at": self.body["started_at"] or int(time.time())}
        return [self._run("thread.run.in_progress")]

    def write(self, text: str, pictures: Sequence[str] = (), tokens: int = 0) -> Events:
        """Add text of about `tokens` to the message; `pictures` are ids of files that stand before a new one."""
        events: Events = []
        message = self.open_message
        if message is None:
            events, message = self._open_message(pictures)
        index = len(message["content"]) - 1
        part = message["content"][index]["text"]
        told: dict[str, Any] = {"value": text} if part["value"] else {"value": text, "annotations": []}
        part["value"] += text
        message["_tokens"] = message.get("_tokens", 0) + tokens
        return [*events, self._delta(message, index, {"type": "text", "text": told})]

    def annotate(self, annotations: Sequence[Body]) -> Events:
        """Say what parts of the message's text stand for."""
        message = self.open_message
        if message is None or not annotations:
            return []
        index = len(message["content"]) - 1
        message["content"][index]["text"]["annotations"] = [dict(a) for a in annotations]
        told = [{"index": number, **annotation} for number, annotation in enumerate(annotations)]
        return [self._delta(message, index, {"type": "text", "text": {"annotations": told}})]

    def message_done(self, usage: Usage | None) -> Events:
        """End the message and its step."""
        message, step = self.open_message, self.open_step
        if message is None or step is None:
            return []
        message |= {"status": "completed", "completed_at": int(time.time())}
        return [self._message("thread.message.completed", message), *self.step_done(usage)]

    def call(self, calls: Sequence[Mapping[str, Any]], usage: Usage | None) -> Events:
        """Tell of the calls that the model made; tokens are counted when the step is done."""
        empty = new_step(self.body, {"type": "tool_calls", "tool_calls": []})
        step = {**empty, "_usage": usage_json(usage)}
        self.steps.append(step)
        events = [
            self._step("thread.run.step.created", step),
            self._step("thread.run.step.in_progress", step),
        ]
        step["step_details"] = {"type": "tool_calls", "tool_calls": [copy.deepcopy(dict(c)) for c in calls]}
        told = [{"index": index, **shown(call)} for index, call in enumerate(calls)]
        return [*events, self._step_delta(step, told)]

    def begin_call(self, index: int) -> Events:
        """Remember that a call is being made, so that it is not made twice."""
        self._call(index)["_begun"] = True
        return []

    def called(self, index: int, outcome: Mapping[str, Any], told: str, beside: Mapping[str, Any]) -> Events:
        """Tell what a call of a tool of ours gave; `told` is what the model reads of it."""
        call = self._call(index)
        kind = call["type"]
        call[kind] |= outcome
        call |= {**beside, "_told": told}
        delta: dict[str, Any] = dict(outcome)
        for name in ("outputs", "results"):
            if name in delta:
                delta[name] = [{"index": n, **shown(o)} for n, o in enumerate(delta[name])]
        step = self.steps[-1]
        return [self._step_delta(step, [{"index": index, "type": kind, kind: delta}])]

    def ask_caller(self) -> Events:
        """Wait for what the caller's functions give."""
        calls = self.steps[-1]["step_details"]["tool_calls"]
        wanted = [
            {
                "id": call["id"],
                "type": "function",
                "function": {name: call["function"][name] for name in ("name", "arguments")},
            }
            for call in calls
            if call["type"] == "function" and call["function"]["output"] is None
        ]
        self.body |= {
            "status": "requires_action",
            "required_action": {
                "type": "submit_tool_outputs",
                "submit_tool_outputs": {"tool_calls": wanted},
            },
        }
        return [self._run("thread.run.requires_action")]

    def answered(self, outputs: Mapping[str, str]) -> Events:
        """Take what the caller's functions gave, by the ids of calls, and go on."""
        step = self.steps[-1]
        for call in step["step_details"]["tool_calls"]:
            if call["id"] in outputs:
                call["function"]["output"] = outputs[call["id"]]
        self.body |= {"status": "queued", "required_action": None}
        return [*self.step_done(None), self._run("thread.run.queued")]

    def step_done(self, usage: Usage | None) -> Events:
        """End the step that is in progress; tokens of a step with calls are known already."""
        step = self.open_step
        if step is None:
            return []
        used = step.pop("_usage", None) or usage_json(usage)
        step |= {"status": "completed", "completed_at": int(time.time()), "usage": used}
        self.body["_usage"] = added(self.body.get("_usage"), used)
        self._run_changed = True
        return [self._step("thread.run.step.completed", step)]

    def completed(self) -> Events:
        """End it well."""
        self.body |= {"status": "completed", "completed_at": int(time.time())}
        return [self._ended("thread.run.completed")]

    def incomplete(self, reason: str, usage: Usage | None) -> Events:
        """End it where a limit of tokens was reached: `max_prompt_tokens` or `max_completion_tokens`."""
        events: Events = []
        message = self.open_message
        if message is not None:
            message |= {
                "status": "incomplete",
                "incomplete_at": int(time.time()),
                "incomplete_details": {"reason": "max_tokens"},
            }
            events = [self._message("thread.message.incomplete", message)]
        if self.open_step is None:
            self.body["_usage"] = added(self.body.get("_usage"), usage_json(usage))
        events += self.step_done(usage)
        self.body |= {"status": "incomplete", "incomplete_details": {"reason": reason}}
        return [*events, self._ended("thread.run.incomplete")]

    def cancelling(self) -> Events:
        """Tell that it is about to be cancelled."""
        self.body["status"] = "cancelling"
        return [self._run("thread.run.cancelling")]

    def cancel(self) -> Events:
        """End it because somebody wants no more of it."""
        return self._stop("cancelled", None)

    def expire(self) -> Events:
        """End it because its time is over."""
        return self._stop("expired", None)

    def fail(self, error: ServiceError) -> Events:
        """End it with an error."""
        code = {429: "rate_limit_exceeded"}.get(error.status, "server_error")
        if error.status < 500 and error.status != 429:
            code = "invalid_prompt"
        return self._stop("failed", {"code": code, "message": error.message})

    def take(self, events: Sequence[Body] = ()) -> RunProgress:
        """Return what has to be written down since the last time."""
        progress = RunProgress(
            self.body["id"],
            tuple(events),
            copy.deepcopy(self.body) if self._run_changed else None,
            tuple(copy.deepcopy(step) for step in self._changed_steps.values()),
            tuple(copy.deepcopy(message) for message in self._changed_messages.values()),
        )
        self._changed_steps, self._changed_messages, self._run_changed = {}, {}, False
        return progress

    def _stop(self, status: str, error: dict[str, str] | None) -> Events:
        now = int(time.time())
        events: Events = []
        message, step = self.open_message, self.open_step
        if message is not None:
            message |= {
                "status": "incomplete",
                "incomplete_at": now,
                "incomplete_details": {"reason": _MESSAGE_ENDS[status]},
            }
            events.append(self._message("thread.message.incomplete", message))
        if step is not None:
            used = step.pop("_usage", None)
            step_error = error and {**error, "code": error["code"].replace("invalid_prompt", "server_error")}
            step |= {"status": status, _ENDS[status]: now, "last_error": step_error, "usage": used}
            if used:
                self.body["_usage"] = added(self.body.get("_usage"), used)
            events.append(self._step(f"thread.run.step.{status}", step))
        ended = {} if status == "expired" else {_ENDS[status]: now}
        self.body |= {"status": status, "required_action": None, "last_error": error, **ended}
        return [*events, self._ended(f"thread.run.{status}")]

    def _ended(self, kind: str) -> dict[str, Any]:
        self.body["usage"] = added(self.body.get("_usage"), usage_json(None))
        permits.forget(self.body)
        return self._run(kind)

    def _open_message(self, pictures: Sequence[str]) -> tuple[Events, dict[str, Any]]:
        message = answer_message(self.body)
        self.messages[message["id"]] = message
        created = {"type": "message_creation", "message_creation": {"message_id": message["id"]}}
        step = new_step(self.body, created)
        self.steps.append(step)
        events = [
            self._step("thread.run.step.created", step),
            self._step("thread.run.step.in_progress", step),
            self._message("thread.message.created", message),
            self._message("thread.message.in_progress", message),
        ]
        for file_id in pictures:
            part = image_part(file_id)
            message["content"].append(part)
            events.append(self._delta(message, len(message["content"]) - 1, part))
        message["content"].append(text_part(""))
        return events, message

    def _call(self, index: int) -> dict[str, Any]:
        step = self.steps[-1]
        self._changed_steps[step["id"]] = step
        call: dict[str, Any] = step["step_details"]["tool_calls"][index]
        return call

    def _run(self, kind: str) -> dict[str, Any]:
        self._run_changed = True
        return self._event(kind, self.body)

    def _step(self, kind: str, step: dict[str, Any]) -> dict[str, Any]:
        self._changed_steps[step["id"]] = step
        return self._event(kind, step)

    def _step_delta(self, step: dict[str, Any], calls: Sequence[Body]) -> dict[str, Any]:
        self._changed_steps[step["id"]] = step
        details = {"type": "tool_calls", "tool_calls": list(calls)}
        told = {"id": step["id"], "object": "thread.run.step.delta", "delta": {"step_details": details}}
        return self._event("thread.run.step.delta", told)

    def _message(self, kind: str, message: dict[str, Any]) -> dict[str, Any]:
        self._changed_messages[message["id"]] = message
        return self._event(kind, message)

    def _delta(self, message: dict[str, Any], index: int, part: Body) -> dict[str, Any]:
        self._changed_messages[message["id"]] = message
        told = {"content": [{"index": index, **part}]}
        event = {"id": message["id"], "object": "thread.message.delta", "delta": told}
        return self._event("thread.message.delta", event)

    def _event(self, kind: str, told: Body) -> dict[str, Any]:
        event = {"event": kind, "data": copy.deepcopy(shown(told)), "sequence_number": self.next_number}
        self.next_number += 1
        return event
