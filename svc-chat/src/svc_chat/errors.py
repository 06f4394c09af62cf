"""Errors that only svc-chat raises."""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.errors import BadRequest, Conflict, NotReady, PayloadTooLarge, TooBusy


class ContextTooLong(BadRequest):
    """The conversation does not fit the model's context."""

    code = "context_length_exceeded"

    def __init__(self, tokens: int, limit: int):
        self.tokens, self.limit = tokens, limit
        super().__init__(
            f"The conversation has {tokens} tokens; this model reads {limit}, and needs room to answer. "
            "Send fewer or shorter messages, or choose a model with a longer context.",
            param="messages",
        )


class OtherContextTooLong(BadRequest):
    """The conversation does not fit the context of another server's model."""

    code = "context_length_exceeded"

    def __init__(self, server: str):
        super().__init__(
            f"The conversation is longer than this model of the server '{server}' reads. "
            "Send fewer or shorter messages, or choose a model with a longer context.",
            param="messages",
        )


class QueueFull(TooBusy):
    """Too many conversations wait for the model."""

    code = "queue_full"

    def __init__(self, limit: int):
        super().__init__(f"{limit} requests are already waiting. Try again soon.", retry_after_s=2)


class ModelBroken(NotReady):
    """The model's file cannot be loaded."""

    code = "model_not_loadable"


class GenerationFailed(NotReady):
    """The model failed in the middle of a step; what it had read is forgotten."""

    code = "generation_failed"

    def __init__(self) -> None:
        super().__init__(
            "The model failed while it was writing. Try again; if it fails again, reload the model."
        )


class TemplateFailed(BadRequest):
    """The model's chat template refuses these messages."""

    code = "chat_template_error"


class ConversationLocked(Conflict):
    """A conversation has one response at a time in progress."""

    code = "conversation_locked"

    def __init__(self, conversation_id: str, running: str):
        super().__init__(
            f"In conversation '{conversation_id[:80]}' '{running}' is being written, and there is one at a time. "
            "Wait until it ends, or POST /v1/responses/{id}/cancel.",
            param="conversation",
        )


class StillWriting(Conflict):
    """The response that this one would follow has not ended."""

    code = "response_in_progress"


class BackgroundFull(TooBusy):
    """The caller has as many background responses waiting as one caller may have."""

    code = "background_queue_full"

    def __init__(self, waiting: int, limit: int):
        super().__init__(
            f"{waiting} of your background responses have not ended; {limit} may wait at a time. Try again when "
            "one has ended, or cancel one.",
            param="background",
            retry_after_s=5,
        )


class HistoryAway(NotReady):
    """The database cannot be reached or written."""

    code = "history_unavailable"

    def __init__(self) -> None:
        super().__init__("What is kept of conversations cannot be read or written now. Try again.")


class ThreadLocked(BadRequest):
    """A thread's messages stay as they are while a run is active."""

    code = "thread_locked"

    def __init__(self, message: str):
        super().__init__(f"{message} Wait until it ends, or cancel it.", param="thread_id")


class RunActive(BadRequest):
    """A thread has one active run at a time."""

    code = "run_active"

    def __init__(self, thread_id: str, run_id: str):
        super().__init__(
            f"Thread {thread_id} already has an active run {run_id}. Wait until it ends, or cancel it.",
            param="thread_id",
        )


class TooManyRuns(TooBusy):
    """The caller has as many active runs as one caller may have."""

    code = "too_many_runs"

    def __init__(self, active: int, limit: int):
        super().__init__(
            f"{active} of your runs are active; {limit} may be at a time. Try again when one has ended, or cancel "
            "one.",
            retry_after_s=5,
        )


class FileTooLarge(PayloadTooLarge):
    """The file is larger than one file may be."""

    code = "file_too_large"

    def __init__(self, limit: int):
        super().__init__(
            f"The file has more than the {limit:,} bytes that one file may have. Send it in parts, or raise "
            "MAX_FILE_BYTES.",
            param="file",
        )


class FileQuotaReached(PayloadTooLarge):
    """The caller's files take as much as they may."""

    code = "file_quota_reached"

    def __init__(self, used: int, quota: int):
        super().__init__(
            f"Your files take {used:,} of the {quota:,} bytes that they may take, and this one does not fit. Delete "
            "some (GET /v1/files lists them), or raise CHAT_FILES_QUOTA_BYTES.",
            param="file",
        )


class TooManyUploads(TooBusy):
    """As many files as may be taken in at once are on their way."""

    code = "too_many_uploads"

    def __init__(self, limit: int):
        super().__init__(f"{limit} files are being sent at the moment. Try again soon.", retry_after_s=2)


class StorageFull(NotReady):
    """The disk has no room for a file."""

    code = "storage_full"

    def __init__(self) -> None:
        super().__init__(
            "The disk has no room for this file. Delete files, or make room in the data folder.",
            param="file",
            retry_after_s=None,
        )


class NoRoom(NotReady):
    """Models that are in use leave too little memory for another one."""

    code = "no_memory_for_model"

    def __init__(self, name: str, need_bytes: int, budget_bytes: int, busy: Sequence[str]):
        super().__init__(
            f"The model '{name}' needs {_mib(need_bytes)} of the {_mib(budget_bytes)} for models. In use now: "
            f"{', '.join(busy)}. Try again when they have answered, or raise CHAT_LOADED_MODELS_MB.",
            param="model",
            retry_after_s=5,
        )


class ModelTooLarge(NotReady):
    """The model does not fit into the memory that models may take."""

    code = "model_too_large"

    def __init__(self, name: str, need_bytes: int, budget_bytes: int):
        super().__init__(
            f"The model '{name}' needs {_mib(need_bytes)} and models may take {_mib(budget_bytes)}. Choose a "
            "smaller one, lower CHAT_CONTEXT_TOKENS, or raise CHAT_LOADED_MODELS_MB.",
            param="model",
            retry_after_s=None,
        )


def _mib(count: int) -> str:
    return f"{-(-count // 2**20)} MiB"
