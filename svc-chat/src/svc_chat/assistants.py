"""Puts together what runs assistants. Part of `app`."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.engine import Engine as Database

from svc_chat.domain.assistants.permits import Permits
from svc_chat.domain.assistants.runs import RunLimits, RunService
from svc_chat.domain.assistants.service import AssistantService, Resources, ThreadService
from svc_chat.domain.assistants.tools import ToolBox
from svc_chat.domain.assistants.writer import RunWriter
from svc_chat.domain.files import FileService
from svc_chat.domain.service import ChatService
from svc_chat.engine.seal import Seal
from svc_chat.engine.store_runs import SqlRuns
from svc_chat.engine.store_threads import SqlAssistants, SqlThreads
from svc_chat.engine.tools_base import CodeInterpreter, Delegation, FileSearch
from svc_chat.settings import Settings

PERMITS_KEY = "permits.key"
"""File in the data folder, which backups leave out: what it opens holds for minutes."""


@dataclass(frozen=True)
class Assistants:
    """The services of the Assistants API, and the tasks that work for them."""

    assistants: AssistantService
    threads: ThreadService
    runs: RunService
    writer: RunWriter


def build_assistants(
    chat: ChatService,
    database: Database,
    files: FileService,
    tools: tuple[FileSearch | None, CodeInterpreter | None],
    settings: Settings,
    delegation: Delegation | None = None,
) -> Assistants:
    """Return what keeps assistants and threads in `database` and works on their runs."""
    search, interpreter = tools
    stores = (SqlRuns(database), SqlThreads(database), SqlAssistants(database))
    seal = Seal(settings.data_dir / PERMITS_KEY)
    permits = None if delegation is None else Permits(delegation, seal)
    writer = RunWriter(
        chat,
        stores[0],
        ToolBox(files, search, interpreter),
        permits,
        at_once=settings.runs_at_once,
        max_tokens=settings.max_tokens,
    )
    resources = Resources(files, search, interpreter)
    threads = ThreadService(stores[1], resources)
    limits = RunLimits(settings.run_life_s, settings.runs_max, settings.history_retention_days * 86_400)
    runs = RunService(chat, writer, stores, threads, files, limits, permits)
    return Assistants(AssistantService(stores[2], resources, chat), threads, runs, writer)
