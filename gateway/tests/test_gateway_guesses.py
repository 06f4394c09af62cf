"""Passwords are guessed slowly, wherever the guesses come from, and an answer's time tells nothing."""

from __future__ import annotations

import argon2

from .conftest import serve_gateway
from .test_gateway_auth import LOGIN, log_in, member


async def test_at_most_ten_guesses_a_minute_are_evaluated(gateway, still):
    async def guess(n: int) -> int:
        async with gateway.client.post(
            gateway.url + "/auth/login",
            json=LOGIN | {"password": f"guess {n}"},
            headers={"X-Forwarded-For": f"1.2.3.{n}"},
        ) as answer:
            if answer.status == 429:
                assert int(answer.headers["Retry-After"]) >= 1
            return answer.status

    found = [await guess(n) for n in range(14)]
    assert found == [401] * 10 + [429] * 4


class CountedHasher:
    """Checks passwords and remembers against which hashes."""

    def __init__(self, hasher):
        self.work, self._hasher = [], hasher

    def verify(self, hashed: str, password: str) -> bool:
        self.work.append(hashed)
        return self._hasher.verify(hashed, password)


async def test_guesses_are_counted_for_a_user_over_addresses_and_for_an_address_over_users(
    fake, tmp_path, still
):
    async def guess(gateway, n: int, user: str, address: str) -> int:
        async with gateway.client.post(
            gateway.url + "/auth/login",
            json={"username": user, "password": f"guess {n}"},
            headers={"X-Forwarded-For": address},
        ) as answer:
            return answer.status

    for name, user, address in (("user", "OWNER", "10.9.0.{n}"), ("address", "user{n}", "10.9.1.1")):
        async with serve_gateway(fake, tmp_path / name, proxied=True) as gateway:
            counted = gateway.parts.passwords._hasher = CountedHasher(gateway.parts.passwords._hasher)
            found = [await guess(gateway, n, user.format(n=n), address.format(n=n)) for n in range(25)]
        assert len(counted.work) == 10 and found[-1] == 429, name
        assert found.count(401) == len(counted.work)


async def test_right_passwords_are_no_guesses(gateway):
    for _ in range(14):
        await log_in(gateway)


async def test_an_unknown_user_costs_as_much_as_a_wrong_password(gateway):
    """The same Argon2 work is done, whoever is asked for: unknown, suspended, known, without a password."""
    await member(gateway, "bia", "a password for bia")
    user, _ = await member(gateway)
    gateway.parts.accounts.change(user["id"], active=False)
    gateway.parts.accounts.create("external", "", "member")
    counted = gateway.parts.passwords._hasher = CountedHasher(gateway.parts.passwords._hasher)
    for name in ("owner", "nobody", "ana", "external"):
        given = {"username": name, "password": "wrong"}
        async with gateway.client.post(gateway.url + "/auth/login", json=given) as answer:
            assert answer.status == 401
    costs = [argon2.extract_parameters(hashed) for hashed in counted.work]
    assert len({(c.type, c.time_cost, c.memory_cost, c.parallelism, c.hash_len) for c in costs}) == 1
    assert len(costs) == 4
