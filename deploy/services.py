"""The processes of the stack: their names, ports and environment. Knows nothing of how they are kept alive."""

from __future__ import annotations

import os
from dataclasses import dataclass

from deploy import machine, redis
from deploy.layout import Layout

MODEL_THREADS_MAX = 8
BATCH_NICENESS = 10


@dataclass(frozen=True)
class Service:
    """One web service; `prefix` begins its own settings, `batch` work yields to all other work.

    One that is `sandboxed` runs where bubblewrap starts; without it the others do their work all the same.
    """

    name: str
    module: str
    prefix: str
    default_port: int
    batch: bool = False
    sandboxed: bool = False

    def port(self, layout: Layout) -> int:
        """Return where it listens."""
        return layout.port(self.prefix, self.default_port)

    def url(self, layout: Layout) -> str:
        """Return where the others reach it."""
        return f"http://127.0.0.1:{self.port(layout)}"

    def exists(self, layout: Layout) -> bool:
        """Tell whether its code is in the repository and its requirements are on this machine."""
        if self.sandboxed and machine.sandbox_missing() is not None:
            return False
        return self.module.startswith("deploy.") or (layout.root / self.name / "pyproject.toml").is_file()


GATEWAY = Service("gateway", "gateway", "GATEWAY", 8001)
PAGE = Service("frontend", "deploy.page_server", "FRONTEND", 8007)
MODELS = (
    Service("svc-chat", "svc_chat", "CHAT", 8002),
    Service("svc-image-gen", "svc_image_gen", "IMAGE_GEN", 8003, batch=True),
    Service("svc-vision", "svc_vision", "VISION", 8004),
    Service("svc-translate", "svc_translate", "TRANSLATE", 8005),
    Service("svc-rag", "svc_rag", "RAG", 8006),
    Service("svc-tts", "svc_tts", "TTS", 5000),
    Service("svc-code", "svc_code", "CODE", 8008, sandboxed=True),
)
ALL = (GATEWAY, *MODELS, PAGE)


def environment(service: Service, layout: Layout) -> dict[str, str]:
    """Return what `service` is told beyond the environment of the runner."""
    threads = layout.env.get("THREADS") or str(min(os.cpu_count() or 2, MODEL_THREADS_MAX))
    told = {
        "HOST": layout.env.get("HOST", "127.0.0.1"),
        "PORT": str(service.port(layout)),
        f"{service.prefix}_PORT": str(service.port(layout)),
        "DATA_DIR": str(layout.data_dir / service.name),
        "GATEWAY_URL": GATEWAY.url(layout),
        "REDIS_URL": layout.env.get("REDIS_URL") or redis.url(layout),
        "SEARCH_STORE": layout.env.get("SEARCH_STORE", "sqlite"),
        "THREADS": threads,
        "OMP_NUM_THREADS": threads,
        # waiting threads that spin for long take the processor from the model that is answering; those that never
        # spin lose 12 ms a step to being woken (docs/decisions/one-batch.md)
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "1000",
        "KMP_BLOCKTIME": "0",
        "TOKENIZERS_PARALLELISM": "false",
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
        # the repository's folders are named like its packages
        "PYTHONSAFEPATH": "1",
    }
    for other in MODELS:
        if not other.sandboxed or other.exists(layout):
            told[f"{other.prefix}_URL"] = other.url(layout)
    for other in (*MODELS, PAGE):
        if not other.sandboxed or other.exists(layout):
            told[f"UPSTREAM_{other.prefix}"] = other.url(layout)
    if service is PAGE:
        told["STATIC_DIR"] = str(layout.page)
        told["PYTHONPATH"] = str(layout.root)
    return told


def command(service: Service, layout: Layout) -> list[str]:
    """Return how `service` is started.

    A batch service yields to the others but still answers its health checks beside a busy model: it
    lowers the threads that do the work itself, further than this.
    """
    started = [str(layout.python), "-m", service.module]
    return ["nice", "-n", str(BATCH_NICENESS), *started] if service.batch else started
