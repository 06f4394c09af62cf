"""Opens a stranger's GGUF file in a process of its own: `python -m svc_chat.engine.probe`.

llama.cpp reads files in C++; one that is broken or made to harm may crash it, hang it or worse. This child loads the
file, writes one token and says how it went, as JSON. It has limits, no secrets and no way back up: whatever happens
to it, the service lives. `prober.py` starts and judges it.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path

import numpy as np

from servicekit.errors import ServiceError
from svc_chat.engine.backend import Batch, Decoded
from svc_chat.engine.base import GenerationRequest, Message
from svc_chat.engine.llama_backend import LlamaBackend

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
NICENESS = 2


def main() -> int:
    """Load the file named on the command line; 0 when it works, 1 when llama.cpp refuses it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--memory-bytes", type=int, required=True)
    parser.add_argument("--cpu-s", type=int, required=True)
    told = parser.parse_args()
    confine(told.memory_bytes, told.cpu_s)
    # what the libraries print must not be taken for the answer
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    problem = try_out(told.path, told.adapter)
    json.dump({"problem": problem}, answer)
    answer.close()
    return 1 if problem else 0


def confine(memory_bytes: int, cpu_s: int) -> None:
    """Take from this process what loading a model does not need."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))
    os.nice(NICENESS)
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def try_out(path: Path, adapter: Path | None) -> str | None:
    """Write one token with the model; return why that is not possible, None when it is."""
    try:
        model = LlamaBackend(
            path, context_tokens=512, cache_bytes=1, threads=1, sequences=1, batch_tokens=512, offload=False
        )
        if adapter is not None:
            model.use_adapter(str(adapter))
        prompt = model.prompt_tokens(GenerationRequest(path.stem, (Message("user", "Olá!"),)))
        batch = Batch()
        batch.add(0, 0, prompt[: model.context_tokens - 1] or [0], last_row=True)
        if model.decode(batch) is not Decoded.DONE:
            return "it could not read a prompt"
        logits = np.array(model.logits()[-1])
        _use_every_token(model, len(logits))
        return None if np.isfinite(logits).all() else "its weights are not numbers"
    except ServiceError as error:
        return error.message
    except (MemoryError, ValueError, OSError) as error:
        return f"it could not be opened ({type(error).__name__})"


def _use_every_token(model: LlamaBackend, count: int) -> None:
    """Read every byte that a text can have, show every token, let a grammar judge all: llama.cpp ends the process
    where a vocabulary lacks what it looks up."""
    model.prompt_tokens(GenerationRequest("", prompt=every_byte()))
    for token in range(count):
        model.piece(token)
        model.shown(token)
    grammar = model.grammar({"type": "object"}, None)
    grammar.allowed(np.arange(count, dtype=np.int32))
    grammar.close()


def every_byte() -> str:
    """Return a text whose UTF-8 has every byte that UTF-8 can have."""
    plain = "".join(map(chr, range(1, 0x80)))
    two = "".join(chr(lead << 6) for lead in range(2, 0x20))
    following = "".join(map(chr, range(0x80, 0xC0)))
    three = "".join(chr(lead << 12 | 0xFFF) for lead in range(0x10) if lead != 0xD) + "\ud7ff"
    four = "".join(chr(max(lead << 18, 0x10000)) for lead in range(5))
    return plain + two + following + three + four


if __name__ == "__main__":
    sys.exit(main())
