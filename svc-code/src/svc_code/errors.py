"""The error leaves of svc-code."""

from __future__ import annotations

from servicekit.errors import BadRequest, NotFound, NotReady, PayloadTooLarge, TooBusy


class SandboxOff(NotReady):
    """No sandbox can be started on this machine, and without one nothing is run."""

    code = "code_interpreter_off"


class SandboxLost(NotReady):
    """The sandbox ended while it was needed; its files and variables are gone."""

    code = "sandbox_lost"


class SessionNotFound(NotFound):
    """There is no such session, or it belongs to somebody else."""

    code = "session_not_found"


class FileNotInSession(NotFound):
    """The session has no regular file of that name."""

    code = "file_not_found"


class FileNameRefused(BadRequest):
    """The name cannot be that of a session's file."""

    code = "invalid_file_name"


class DiskFull(PayloadTooLarge):
    """The session's disk, or its number of files, is at its limit."""

    code = "session_disk_full"


class CodeTooLong(PayloadTooLarge):
    """More code than one call may hold."""

    code = "code_too_long"


class SessionBusy(TooBusy):
    """The session is running something; one thing at a time."""

    code = "session_busy"


class TooManySessions(TooBusy):
    """Every session there may be is in use."""

    code = "too_many_sessions"
