"""The tools of an assistant that are run here: searching files, and running code.

A tool that fails tells the model so, and the run goes on. Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from servicekit.errors import ServiceError
from servicekit.logs import log_event
from servicekit.uninterrupted import uninterrupted
from svc_chat.domain.analysis import PYTHON
from svc_chat.domain.assistants.citations import SANDBOX, sources, window
from svc_chat.domain.assistants.filenames import told_apart
from svc_chat.domain.assistants.prompt import SEARCH
from svc_chat.domain.assistants.work import AssistantRun
from svc_chat.domain.files import FileService
from svc_chat.engine.threads import Body
from svc_chat.engine.tools_base import CodeInterpreter, FileSearch, InputFile, OutputFile, Passage

log = logging.getLogger(__name__)
RESULTS_MAX = 5
"""Passages of one search unless the assistant says otherwise."""
PASSAGES_CHARS = 8000
"""Most characters of one search's passages that a model reads, half of a context of 4,096 tokens at most."""
SMALL_CHARS, SMALL_PASSAGE_CHARS = 2000, 420
"""The same for the built-in model, and of one passage: it was trained on so little."""
LOGS_CHARS = 8000
"""Most characters of what code printed that are kept, and that a model reads."""
INTERPRETER_OFF = (
    "The code interpreter is off on this server, so no code was run. Its owner turns it on with the setting "
    "CODE_URL (docs/operations.md). Answer without running code, and say so."
)
SEARCH_OFF = (
    "Searching files is off on this server. Its owner turns it on with the setting RAG_URL. "
    "Answer without the files, and say so."
)
INTERRUPTED = "The service was restarted while this code ran. It was not run again: what it did is not known."
DID_NOT_WORK = "This did not work: "
FAILED: Mapping[str, Any] = {"_failed": True}
"""Remembered beside code that did not come to its end."""
Outcome = tuple[dict[str, Any], str, Mapping[str, Any]]
"""What a call shows, what the model reads of it, and what is remembered beside it."""


class ToolBox:
    """Runs the tools of ours."""

    def __init__(self, files: FileService, search: FileSearch | None, interpreter: CodeInterpreter | None):
        self._files, self._search, self._interpreter = files, search, interpreter

    async def make(self, run: AssistantRun, call: Body) -> Outcome:
        """Make a call; errors become what the model reads."""
        try:
            if call["type"] == "file_search":
                return await self._find(run, call)
            return await self._execute(run, call)
        except ServiceError as error:
            told = f"{DID_NOT_WORK}{error.message}"
            if call["type"] == "code_interpreter":
                return _logs(told), told, FAILED
            return {"results": []}, told, {}

    async def _find(self, run: AssistantRun, call: Body) -> Outcome:
        body = run.state.body
        store_ids = body["_vector_store_ids"]
        if self._search is None:
            return {"results": []}, SEARCH_OFF, {}
        if not store_ids:
            return {"results": []}, "There are no files to search.", {}
        options = next((t.get("file_search") or {} for t in body["tools"] if t["type"] == "file_search"), {})
        threshold = (options.get("ranking_options") or {}).get("score_threshold") or 0.0
        limit = options.get("max_num_results") or RESULTS_MAX
        found = await self._search.search(store_ids, call["_query"], limit, threshold, run.bearer)
        number = len(sources(run.state.steps))
        small = bool(body["_builtin"])
        results: list[dict[str, Any]] = []
        told: list[str] = []
        for passage in found:
            number += 1
            line = _line(number, passage, call["_query"], small=small)
            if told and sum(map(len, told)) + len(line) > (SMALL_CHARS if small else PASSAGES_CHARS):
                break
            told.append(line)
            results.append(
                {
                    "file_id": passage.file_id,
                    "file_name": passage.filename,
                    "score": passage.score,
                    "_text": passage.text,
                }
            )
        return {"results": results}, "\n".join(told) or "Nothing was found.", {}

    async def _execute(self, run: AssistantRun, call: Body) -> Outcome:
        if self._interpreter is None:
            return _logs(INTERPRETER_OFF), INTERPRETER_OFF, FAILED
        inputs = await self._inputs(run)
        code, session = call["code_interpreter"]["input"], run.stored.thread_id
        result = await self._interpreter.run(session, code, inputs, run.bearer)
        files = [made for made in result.files if made.content]  # what is empty cannot be kept
        kept = await self._all_kept(run, files)
        text = _cut(result.text)
        if result.timed_out:
            text += "\nThe code took too long and was ended."
        elif result.error:
            text += f"\n{_cut(result.error)}"
        outputs: list[dict[str, Any]] = [{"type": "logs", "logs": text.strip()}] if text.strip() else []
        outputs += [{"type": "image", "image": {"file_id": id_}} for made, id_ in kept if made.is_picture]
        told = [text.strip(), *(f"Made the file {SANDBOX}{made.name}" for made, _ in kept)]
        beside: dict[str, Any] = {"_files": [{"name": made.name, "file_id": id_} for made, id_ in kept]}
        if result.timed_out or result.error:
            beside |= FAILED
        return {"outputs": outputs}, "\n".join(filter(None, told)) or "It printed nothing.", beside

    async def _inputs(self, run: AssistantRun) -> list[InputFile]:
        ids = run.state.body["_files"]
        found = {id_: await self._files.content(run.stored.owner, id_) for id_ in ids}
        names = told_apart({id_: file.filename for id_, (file, _) in found.items()})
        return [InputFile(id_, names[id_], path) for id_, (_, path) in found.items()]

    async def _all_kept(self, run: AssistantRun, files: Sequence[OutputFile]) -> list[tuple[OutputFile, str]]:
        """Keep all files that code made, each with its id, or none."""
        kept: list[tuple[OutputFile, str]] = []
        try:
            for made in files:
                await uninterrupted(self._keep(run, made, kept))
        except (Exception, asyncio.CancelledError):
            await uninterrupted(self._removed(run, [file_id for _, file_id in kept]))
            raise
        return kept

    async def _keep(self, run: AssistantRun, made: OutputFile, kept: list[tuple[OutputFile, str]]) -> None:
        file = await self._files.add(run.stored.owner, made.content, made.name, "assistants_output")
        kept.append((made, file.id))

    async def _removed(self, run: AssistantRun, file_ids: Sequence[str]) -> None:
        """Remove files again; why they are not kept counts, not what is left of them."""
        for file_id in file_ids:
            try:
                await self._files.delete(run.stored.owner, file_id, run.bearer)
            except ServiceError as error:
                log_event(log, "not removed again", level=logging.WARNING, reason=error.code)
            except Exception:
                log.exception("not removed again")


def _line(number: int, passage: Passage, query: str, *, small: bool) -> str:
    """Return a passage as a model reads it, on one line."""
    text = " ".join(passage.text.split())
    if small:
        return f"[{number}] {window(query, text, SMALL_PASSAGE_CHARS)}"
    return f"[{number}] ({passage.filename}) {text}"[:PASSAGES_CHARS]


def step_calls(calls: Sequence[Mapping[str, Any]], tools: Sequence[Body]) -> list[dict[str, Any]]:
    """Return what a model called as a step has it: functions, and the tools of ours by their own types."""
    kinds = {tool["type"] for tool in tools}
    own = {tool["function"]["name"] for tool in tools if tool["type"] == "function"}
    return [_step_call(call, kinds, own) for call in calls]


def _step_call(call: Mapping[str, Any], kinds: set[str], own: set[str]) -> dict[str, Any]:
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    if name == PYTHON and "code_interpreter" in kinds and name not in own:
        code = _field(arguments, "code")
        shown = {"input": code, "outputs": []}
        return {"id": call["id"], "type": "code_interpreter", "code_interpreter": shown}
    if name == SEARCH and "file_search" in kinds and name not in own:
        return search_call(call["id"], _field(arguments, "query"))
    function = {"name": name, "arguments": arguments, "output": None}
    return {"id": call["id"], "type": "function", "function": function}


def search_call(call_id: str, query: str) -> dict[str, Any]:
    """Return a call that searches files."""
    return {"id": call_id, "type": "file_search", "file_search": {}, "_query": query[:2000]}


def interrupted() -> Outcome:
    """Return what a call gives that may or may not have been made before a restart."""
    return _logs(INTERRUPTED), INTERRUPTED, FAILED


def _field(arguments: str, name: str) -> str:
    try:
        found = json.loads(arguments)
    except ValueError:
        return arguments
    return str(found.get(name, "")) if isinstance(found, dict) else str(found)


def _logs(text: str) -> dict[str, Any]:
    return {"outputs": [{"type": "logs", "logs": text}]}


def _cut(text: str) -> str:
    if len(text) <= LOGS_CHARS:
        return text
    half = LOGS_CHARS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
