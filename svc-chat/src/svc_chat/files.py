"""Puts together what keeps files, searches them and runs code on them. Part of `app`."""

from __future__ import annotations

import httpx
from sqlalchemy.engine import Engine as Database

from svc_chat.domain.files import FileLimits, FileService
from svc_chat.engine.code_service import CodeService
from svc_chat.engine.file_folder import FileFolder
from svc_chat.engine.gateway_delegation import GatewayDelegation
from svc_chat.engine.rag_service import RagService
from svc_chat.engine.store_files import SqlFiles
from svc_chat.settings import Settings


def build_files(database: Database, settings: Settings, rag: RagService | None) -> FileService:
    """Return what keeps files in `database` and the data folder."""
    limits = FileLimits(settings.max_file_bytes, settings.files_quota_bytes, settings.uploads_at_once)
    return FileService(SqlFiles(database), FileFolder(settings.data_dir / "files"), limits, rag)


def build_rag(settings: Settings) -> RagService | None:
    """Return who searches the text of files, None for nobody."""
    if not settings.rag_url:
        return None
    timeout = httpx.Timeout(settings.rag_timeout_s, connect=3.0)
    return RagService(settings.rag_url, httpx.AsyncClient(timeout=timeout))


def build_interpreter(settings: Settings) -> CodeService | None:
    """Return who runs code, None for nobody."""
    return CodeService(settings.code_url, settings.code_timeout_s) if settings.code_url else None


def build_delegation(settings: Settings) -> GatewayDelegation | None:
    """Return who makes callers' permissions last as long as their runs, None for nobody."""
    needed = settings.auth == "on" and (settings.rag_url or settings.code_url)
    return GatewayDelegation(settings.gateway_url) if needed else None
