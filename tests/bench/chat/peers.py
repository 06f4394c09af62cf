"""Starts the programs that ours is compared with. Each gets the settings that suit it best here."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from deploy import install, layout
from tests.bench.chat.client import Outcome
from tests.bench.chat.prompts import Conversation, Sampling, as_chatml
from tests.bench.processes import HttpServer, Processes, cpu_s, free_port

LLAMA_CPP_PYTHON, LLAMA_SERVER, RAW_LOOP = "llama-cpp-python", "llama-server", "raw loop"
CONTEXT_TOKENS = 8192
SLOTS = 16


class _PeerLayout(layout.Layout):
    """The repository's pins and package sources, with another virtual environment."""

    @property
    def venv(self) -> Path:
        """The environment beside the model."""
        return self.data_dir / "llama-cpp-python-venv"


async def start_llama_cpp_python(processes: Processes, cache: Path, model: Path, threads: int) -> HttpServer:
    """Start llama-cpp-python's own server, installing it into `cache` first when it is not there.

    Requests wait for their turn instead of cutting each other off (`interrupt_requests`), and logits are kept
    for the last token alone (`logits_all`): both of its defaults would make it look worse.
    """
    python = await asyncio.to_thread(_installed, cache)
    port = free_port()
    options = {
        "model": str(model),
        "model_alias": model.stem,
        "host": "127.0.0.1",
        "port": str(port),
        "n_ctx": str(CONTEXT_TOKENS),
        "n_threads": str(threads),
        "n_threads_batch": str(threads),
        "flash_attn": "true",
        "logits_all": "false",
        "interrupt_requests": "false",
        "verbose": "false",
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    command = [str(python), "-m", "llama_cpp.server", *flags]
    url = f"http://127.0.0.1:{port}"
    process = processes.start(LLAMA_CPP_PYTHON, command, _env())
    await processes.until_ready(LLAMA_CPP_PYTHON, process, f"{url}/v1/models")
    return HttpServer(LLAMA_CPP_PYTHON, url, model.stem, process)


async def start_llama_server(processes: Processes, binary: Path, model: Path, threads: int) -> HttpServer:
    """Start llama.cpp's llama-server: sixteen slots that share one key-value memory, no web page."""
    port = free_port()
    options = {
        "--model": str(model),
        "--alias": model.stem,
        "--host": "127.0.0.1",
        "--port": str(port),
        "--ctx-size": str(CONTEXT_TOKENS),
        "--parallel": str(SLOTS),
        "--threads": str(threads),
        "--threads-batch": str(threads),
        "--flash-attn": "on",
    }
    flags = [part for pair in options.items() for part in pair]
    command = [str(binary), *flags, "--kv-unified", "--cont-batching", "--no-webui"]
    url = f"http://127.0.0.1:{port}"
    process = processes.start(LLAMA_SERVER, command, _env())
    await processes.until_ready(LLAMA_SERVER, process, f"{url}/health")
    return HttpServer(LLAMA_SERVER, url, model.stem, process)


@dataclass(frozen=True)
class RawLoop:
    """The plain loop over llama.cpp's low-level API, in a process of its own."""

    process: subprocess.Popen[bytes]
    name: str = RAW_LOOP

    async def answer_all(self, conversations: Sequence[Conversation], sampling: Sampling) -> Outcome:
        """Answer all conversations at once."""
        prompts = [as_chatml(one) for one in conversations]
        used_s = cpu_s(self.process.pid)
        result = await asyncio.to_thread(self._do, {"prompts": prompts, **vars(sampling)})
        used_s = cpu_s(self.process.pid) - used_s
        tokens = len(prompts) * sampling.max_tokens
        return Outcome(result["tokens_per_s"], result["first_s"], tokens / used_s)

    def _do(self, job: dict[str, object]) -> dict[str, float]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(job).encode() + b"\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> dict[str, float]:
        """Return the next line that it says; raises RuntimeError when it is gone."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self.process.wait()}")
        return dict(json.loads(line))


async def start_raw_loop(processes: Processes, model: Path, threads: int) -> RawLoop:
    """Start the loop with this environment's llama.cpp and wait until it has the model."""
    command = [sys.executable, str(Path(__file__).with_name("raw_loop.py")), str(model), str(threads)]
    loop = RawLoop(processes.start(RAW_LOOP.replace(" ", "-"), command, _env(), pipes=True))
    await asyncio.to_thread(loop.read)
    return loop


def _env() -> dict[str, str]:
    """The environment of who starts the peer: threads wait the way that the peer's makers chose."""
    return {name: value for name, value in os.environ.items() if name not in ("HOST", "PORT")}


def _installed(cache: Path) -> Path:
    """Return the Python of an environment with llama-cpp-python's server.

    Its llama.cpp is the very build that ours uses, carried over, which also spares compiling it again; what the
    server needs besides is installed under the repository's pins.
    """
    here = layout.load()
    peer = _PeerLayout(here.root, cache, env=here.env)
    marker, build = peer.venv / ".installed", f"llama-cpp-python {version('llama-cpp-python')}"
    if marker.is_file() and marker.read_text(encoding="utf-8") == build:
        return peer.python
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(peer.venv)], check=True)
    ours = Path(sysconfig.get_path("platlib"))
    theirs = next(peer.venv.glob("lib/python3*/site-packages"))
    for folder in (ours / "llama_cpp", *ours.glob("llama_cpp_python-*.dist-info")):
        shutil.copytree(folder, theirs / folder.name)
    install.install(peer, install.find_uv(here), ["llama-cpp-python[server]"])
    marker.write_text(build, encoding="utf-8")
    return peer.python
