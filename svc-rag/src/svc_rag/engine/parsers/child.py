"""The program of the child process: reads one file under limits and writes JSON to a file, or ends with its parent.

Run as `python -m svc_rag.engine.parsers.child SOURCE TARGET MEDIA_TYPE LIMITS_JSON
parse|probe`. The limits of
the process are set before any parser is imported. Knows nothing about the service.
"""

from __future__ import annotations

import errno
import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path

from servicekit.children import end_with_parent

OUT_OF_MEMORY = 12
NO_ROOM = 28
"""Exit status when the disk is full; as the others, `errno`'s number for it."""


def main(argv: list[str]) -> int:
    """Parse argv[1] into argv[2]; a ServiceError is written as {"error": class, "message": …}."""
    end_with_parent()
    source, target, media_type, limits_json, task = argv[1:6]
    limits_by_name = json.loads(limits_json)
    memory = int(limits_by_name["memory_bytes"])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    cpu_s = int(limits_by_name["timeout_s"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 2**20, 64 * 2**20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = _answer(task, Path(source), media_type, limits_by_name)
    except MemoryError:
        return OUT_OF_MEMORY
    try:
        Path(target).write_text(json.dumps(answer), encoding="utf-8")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return NO_ROOM
    return 0


def _answer(task: str, source: Path, media_type: str, limits_by_name: dict[str, float]) -> dict[str, object]:
    from servicekit.errors import ServiceError
    from svc_rag.engine.parsers.limits import ParseLimits
    from svc_rag.engine.parsers.registry import parse_in_this_process, probe_in_this_process

    limits = ParseLimits(**limits_by_name)  # type: ignore[arg-type]
    try:
        if task == "probe":
            probe_in_this_process(source, media_type, limits)
            return {}
        return asdict(parse_in_this_process(source, media_type, limits))
    except ServiceError as exc:
        return {"error": type(exc).__name__, "message": exc.message}


if __name__ == "__main__":
    sys.exit(main(sys.argv))
