"""Puts together what trains. Part of `app`."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Engine as Database

from servicekit.aside import aside
from servicekit.errors import BadRequest, ServiceError
from servicekit.models import Memory
from svc_chat.build import LocalAndRemote
from svc_chat.domain.files import FileService
from svc_chat.domain.service import ChatService
from svc_chat.domain.tuning.runner import TuningRunner
from svc_chat.domain.tuning.service import TuningService
from svc_chat.engine.base import Engine
from svc_chat.engine.tuning.base import Trainer
from svc_chat.engine.tuning.child import ChildTrainer
from svc_chat.engine.tuning.models import TrainedModels
from svc_chat.engine.tuning.planner import LocalPlanner
from svc_chat.engine.tuning.store import SqlTuning
from svc_chat.settings import Settings

MAX_FILE_BYTES = 50 << 20
"""Of a file with examples: it is read whole."""
PURPOSE = "fine-tune"


class KeptTrainingFiles:
    """Files of `/v1/files` whose purpose is training."""

    def __init__(self, files: FileService):
        self._files = files

    async def read(self, owner: str, file_id: str, param: str) -> str:
        """Return a file's text; raises NotFound, BadRequest."""
        try:
            file, path = await self._files.content(owner, file_id)
        except ServiceError as error:
            error.param = param
            raise
        if file.purpose != PURPOSE:
            raise BadRequest(
                f"The file '{file_id[:80]}' has the purpose '{file.purpose}'; training reads files of '{PURPOSE}'.",
                param=param,
            )
        if file.bytes > MAX_FILE_BYTES:
            raise BadRequest(
                f"The file '{file_id[:80]}' has {file.bytes} bytes; training reads {MAX_FILE_BYTES}. Split it.",
                param=param,
            )
        try:
            return await asyncio.to_thread(path.read_text, encoding="utf-8")
        except UnicodeDecodeError as error:
            raise BadRequest(
                f"The file '{file_id[:80]}' is no text in UTF-8 (byte {error.start}).", param=param
            ) from error


class SharedMemory:
    """Room: the service's part of the machine's memory, which the gateway grants."""

    def __init__(self, memory: Memory):
        self._memory = memory

    async def take(self, job_id: str, need_bytes: int) -> None:
        """Take the memory; raises NoMemory."""
        await aside(lambda: self._memory.hold(_work(job_id), need_bytes))

    def give_back(self, job_id: str) -> None:
        """Give it back."""
        self._memory.release(_work(job_id))


def _work(job_id: str) -> str:
    return f"training {job_id}"


@dataclass(frozen=True)
class Tuning:
    """What trains: the service and the task that works."""

    service: TuningService
    runner: TuningRunner


def tuning_folder(settings: Settings) -> Path:
    """Return where trainings lie."""
    return settings.data_dir / "training"


def build_trained(database: Database, settings: Settings) -> TrainedModels:
    """Return the models that trainings made."""
    trained = TrainedModels(SqlTuning(database), tuning_folder(settings))
    trained.refresh()
    return trained


def build_tuning(
    service: ChatService,
    database: Database,
    files: FileService,
    trained: TrainedModels,
    settings: Settings,
    memory: Memory,
    trainer: Trainer | None = None,
) -> Tuning:
    """Return what trains the models of `service`'s engine; does nothing yet."""
    folder, store = tuning_folder(settings), SqlTuning(database)
    if isinstance(service.engine, LocalAndRemote):
        trained.on_change = service.engine.local.look_again

    async def find(name: str | None, owner: str) -> str:
        return (await service.resolve(name, owner)).id

    environment = {"LD_LIBRARY_PATH": settings.ld_library_path} if settings.ld_library_path else {}
    runner = TuningRunner(
        store,
        trainer or ChildTrainer(settings.threads, environment),
        trained,
        folder,
        SharedMemory(memory),
    )
    planner = LocalPlanner(find, functools.partial(_locate, service.engine), settings.threads)
    return Tuning(
        TuningService(
            store,
            runner,
            planner,
            KeptTrainingFiles(files),
            trained,
            folder=folder,
            train_base=settings.train_base,
            most_waiting=settings.trainings_waiting,
        ),
        runner,
    )


async def _locate(engine: Engine, model_id: str) -> Path | None:
    """Return the GGUF file of a model without an adapter that is served here."""
    if not isinstance(engine, LocalAndRemote):
        return None
    return await engine.local.file_of(model_id)
