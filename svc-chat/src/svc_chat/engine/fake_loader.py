"""A loader without weights for tests of the pool: loads when told, and keeps the books of what is in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from svc_chat.engine.pool import ModelPool
from svc_chat.engine.pool_entry import ModelFile
from svc_chat.errors import ModelBroken

SIZES = {"a": 40, "b": 50, "c": 60, "d": 30}


def file_of(name: str, version: int = 0) -> ModelFile:
    return ModelFile(name, Path(f"/models/{name}.gguf"), memory_bytes=SIZES[name], version=version)


class Loaded:
    """A model of the fake loader."""

    def __init__(self, name: str):
        self.name, self.lent, self.closed = name, 0, False


class FakeLoader:
    """Loads when told, or at once; keeps the books of what is in memory."""

    def __init__(self, held: bool = False):
        self.lock = threading.Lock()
        self.gates: dict[str, threading.Event] = {}
        self.held, self.broken = held, set[str]()
        self.memory = self.peak = 0
        self.loads: list[str] = []
        self.closed_while_lent = False

    def load(self, path: Path, progress: Callable[[float], bool]) -> Loaded:
        name = path.stem
        with self.lock:
            self.loads.append(name)
            self.memory += SIZES[name]
            self.peak = max(self.peak, self.memory)
            gate = self.gates[name] = threading.Event()
        progress(0.5)
        if self.held:
            gate.wait(20)
        with self.lock:
            self.gates.pop(name, None)
            if name in self.broken:
                self.memory -= SIZES[name]
                raise ModelBroken(f"{name} is broken")
        return Loaded(name)

    def close(self, model: Loaded) -> None:
        with self.lock:
            self.closed_while_lent |= bool(model.lent)
            model.closed = True
            self.memory -= SIZES[model.name]

    def open_all(self) -> None:
        with self.lock:
            for gate in self.gates.values():
                gate.set()


def pool_of(loader: FakeLoader, budget: int = 100, names: str = "abcd", **told: float) -> ModelPool[Loaded]:
    pool = ModelPool(loader.load, loader.close, budget_bytes=budget, **told)
    pool.offer([file_of(name) for name in names])
    return pool
