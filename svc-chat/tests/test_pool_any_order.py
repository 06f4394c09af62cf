"""The pool in any order of events: the budget holds, nothing in use is freed, nobody waits for ever."""

import asyncio
import contextlib
import threading
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from servicekit.errors import ServiceError
from svc_chat.engine.fake_loader import FakeLoader, file_of, pool_of


async def until(holds: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 (polled with a deadline)
            await asyncio.sleep(0.002)


class Pools(RuleBasedStateMachine):
    """Any order of asking, leaving, giving back, loads ending or failing, files changing and coming back."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.loader = FakeLoader(held=True)
        self.pool = pool_of(self.loader, retry_s=0)
        self.version = 0
        self.asking: list[asyncio.Task[None]] = []
        self.leave: dict[asyncio.Task[None], asyncio.Event] = {}
        self.holding: set[asyncio.Task[None]] = set()

    def turn(self) -> None:
        """Let every callback that is due run."""

        async def pause() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        self.loop.run_until_complete(pause())

    def settled(self, name: str, gate: threading.Event) -> bool:
        """Whether that load is over: with a result, or the file changed meanwhile and is loaded again."""
        again = self.loader.gates.get(name)
        return self.pool.handle(name).state != "loading" or again not in (None, gate)

    async def use(self, name: str, leave: asyncio.Event) -> None:
        task = asyncio.current_task()
        assert task is not None
        async with self.pool.lend(name) as model:
            model.lent += 1
            self.holding.add(task)
            try:
                await leave.wait()
                assert not model.closed
            finally:
                model.lent -= 1
                self.holding.discard(task)

    @rule(name=st.sampled_from("abcd"))
    def ask(self, name: str) -> None:
        leave = asyncio.Event()
        task = self.loop.create_task(self.use(name, leave))
        self.asking.append(task)
        self.leave[task] = leave
        self.turn()

    @precondition(lambda self: self.asking)
    @rule(which=st.integers(0, 99), cancel=st.booleans())
    def give_back(self, which: int, cancel: bool) -> None:
        task = self.asking[which % len(self.asking)]
        self.leave[task].set()
        if cancel:
            task.cancel()
        self.turn()

    @rule(name=st.sampled_from("abcd"), broken=st.booleans())
    def a_load_ends(self, name: str, broken: bool) -> None:
        with self.loader.lock:
            gate = self.loader.gates.get(name)
            (self.loader.broken.add if broken else self.loader.broken.discard)(name)
        if gate is not None:
            gate.set()
            self.loop.run_until_complete(until(lambda: self.settled(name, gate)))
        self.turn()

    @rule(name=st.sampled_from("abcd"))
    def somebody_unloads(self, name: str) -> None:
        if self.pool.handle(name).state in ("ready", "failed", "unloaded"):
            with contextlib.suppress(ServiceError):
                self.pool.unload(name)

    @rule(kept=st.sets(st.sampled_from("abcd")), changed=st.booleans())
    def files_change(self, kept: set[str], changed: bool) -> None:
        self.version += changed
        self.pool.offer([file_of(name, self.version) for name in sorted(kept)])
        self.pool.offer([file_of(name, self.version) for name in "abcd"])
        self.turn()

    @invariant()
    def the_budget_is_kept(self) -> None:
        assert self.loader.peak <= 100

    @invariant()
    def nothing_in_use_was_freed(self) -> None:
        assert not self.loader.closed_while_lent

    def teardown(self) -> None:
        """Everybody who asked ends: with a model, or with an error, within seconds."""
        for leave in self.leave.values():
            leave.set()
        self.loader.held = False

        def all_over() -> bool:
            self.loader.open_all()
            loading = any(self.pool.handle(name).state == "loading" for name in "abcd")
            return not loading and all(task.done() for task in self.asking)

        self.loop.run_until_complete(until(all_over, within_s=60))
        failures = [task.exception() for task in self.asking if not task.cancelled()]
        assert all(error is None or isinstance(error, ServiceError) for error in failures), failures
        self.pool.close()
        self.loop.run_until_complete(until(lambda: self.loader.memory == 0))
        self.loop.close()
        self.the_budget_is_kept()
        self.nothing_in_use_was_freed()


TestPools = Pools.TestCase
TestPools.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
