"""A key whose outcome could not be written when it was there is not lost to its owner."""

from __future__ import annotations

import pytest
from aiohttp import web
from sqlalchemy.exc import DataError, OperationalError

from gateway.engine import keeper
from gateway.engine.ledger import Outcome

from .conftest import until
from .test_gateway_idempotency import CHAT, ask, counting


class Breaking:
    """Fails as a full disk does until it is mended."""

    def __init__(self, monkeypatch, ledger, name):
        self.broken, self.calls, self._work = True, 0, getattr(ledger, name)
        monkeypatch.setattr(ledger, name, self)

    def __call__(self, *args):
        self.calls += 1
        if self.broken:
            raise OperationalError("write", {}, Exception("database or disk is full"))
        return self._work(*args)


@pytest.fixture
async def ledger(gateway):
    """The ledger, whose keeper writes nothing but when it is asked."""
    await gateway.parts.keeper.stop_tending()
    return gateway.parts.keeper._ledger


async def test_the_key_of_a_call_that_failed_is_free_again_once_the_database_is(gateway, ledger, monkeypatch):
    release = Breaking(monkeypatch, ledger, "release")
    counting(gateway, status=500)
    assert (await ask(gateway))[0] == 500
    assert release.calls == 1
    counting(gateway)
    assert (await ask(gateway))[0] == 503  # it still cannot be written
    release.broken = False
    assert await ask(gateway) == (200, None, b'{"call": 2}')
    assert await ask(gateway) == (200, "true", b'{"call": 2}')


async def test_an_outcome_that_was_told_and_not_kept_is_kept_later(gateway, ledger, monkeypatch):
    finish = Breaking(monkeypatch, ledger, "finish")
    counting(gateway)
    assert await ask(gateway) == (200, None, b'{"call": 1}')
    finish.broken = False
    assert await ask(gateway) == (200, "true", b'{"call": 1}')
    assert len(gateway.fake.calls(CHAT)) == 1


async def test_what_is_owed_is_written_without_being_asked_for(gateway, ledger, monkeypatch):
    finish = Breaking(monkeypatch, ledger, "finish")
    counting(gateway)
    await ask(gateway)
    monkeypatch.setattr(keeper, "LEASE_S", 0.03)
    gateway.parts.keeper.start()
    await until(lambda: finish.calls > 2)
    finish.broken = False
    await until(lambda: not gateway.parts.keeper.owed)
    with ledger._engine.connect() as db:
        assert db.exec_driver_sql("select status from idempotent_calls").scalars().all() == [200]


async def test_an_outcome_that_no_database_takes_does_not_keep_others_from_theirs(
    gateway, ledger, monkeypatch
):
    kept, finish = [], ledger.finish

    def take(record_id, outcome):
        if record_id == "never":
            raise DataError("write", {}, Exception("a text cannot contain NUL"))
        if record_id == "later":
            raise OperationalError("write", {}, Exception("database is locked"))
        kept.append(record_id)
        finish(record_id, outcome)

    monkeypatch.setattr(ledger, "finish", take)
    owed = gateway.parts.keeper.owed
    owed |= dict.fromkeys(("never", "later", "good"), Outcome(200, {}, b""))
    gateway.parts.keeper.start()
    await until(lambda: list(owed) == ["later"])
    assert kept == ["good"]


async def test_bodies_that_are_owed_take_only_so_much_memory(gateway, ledger, monkeypatch):
    monkeypatch.setattr(keeper, "OWED_BYTES", 30)
    finish = Breaking(monkeypatch, ledger, "finish")

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 20)

    gateway.fake.routes[CHAT] = answer
    assert [(await ask(gateway, key=f"k-{n}"))[0] for n in range(3)] == [200] * 3
    assert [outcome and outcome.body for outcome in gateway.parts.keeper.owed.values()] == [
        b"x" * 20,
        None,
        None,
    ]
    finish.broken = False
    assert [(await ask(gateway, key=f"k-{n}"))[0] for n in range(2)] == [200, 409]
    assert isinstance(next(iter(gateway.parts.keeper.owed.values())), Outcome)
