"""Which hosts and addresses a fetch may reach.

Owns the rule "public addresses, or what the settings allow by name". Knows nothing about HTTP.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable

from servicekit.fetch.errors import UrlNotAllowed, UrlUnreachable

#: Gives the addresses (as text) of a host name; raises OSError when it has none.
Resolve = Callable[[str, int], Awaitable[list[str]]]

_IPV6_GLOBAL = ipaddress.ip_network("2000::/3")
# Ranges that carry an IPv4 address or a tunnel inside: where they end is not for us to find out.
_IPV6_TUNNELS = tuple(
    ipaddress.ip_network(net) for net in ("2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48")
)
_IPV4_RELAY = ipaddress.ip_network("192.88.99.0/24")
_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_NUMBER = re.compile(r"(0[xX][0-9A-Fa-f]*|[0-9]+)")


def is_public(address: str) -> bool:
    """Say whether an address is an ordinary one of the public internet.

    Private, loopback, link-local, multicast, reserved and documentation ranges are not, nor is any
    IPv6 form that carries an IPv4 address (mapped, compatible, 6to4, Teredo, NAT64).
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback:
        return False
    if ip.is_link_local or ip.is_private:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in _IPV6_GLOBAL and not any(ip in net for net in _IPV6_TUNNELS)
    return ip not in _IPV4_RELAY


def is_allowed(host: str, port: int, allow_hosts: Iterable[str]) -> bool:
    """Say whether the settings open `host` (every port) or `host:port` by name."""
    name = host.lower()
    shown = f"[{name}]" if ":" in name else name
    return any(entry.lower() in (name, shown, f"{shown}:{port}") for entry in allow_hosts)


def check_host(host: str, param: str | None) -> None:
    """Refuse a host that is neither a plain name nor a plainly written address."""
    try:
        if getattr(ipaddress.ip_address(host), "scope_id", None) is None:
            return
        raise ValueError("an address with a zone")
    except ValueError:
        last = host.rstrip(".").rsplit(".", 1)[-1]
        # A name whose last part is a number is an address in an odd notation (127.1, 0x7f000001).
        if _HOST.fullmatch(host) and len(host) <= 253 and not _NUMBER.fullmatch(last):
            return
        raise UrlNotAllowed(
            f"The host '{host[:80]}' is not a plain host name or IP address. "
            "Write the name, or the address in its usual form.",
            param=param,
        ) from None


async def system_resolve(host: str, port: int) -> list[str]:
    """Resolve by the operating system, without blocking the event loop."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def checked_addresses(
    host: str, port: int, allow_hosts: Iterable[str], resolve: Resolve, param: str | None
) -> list[str]:
    """Resolve `host` once and give the addresses to connect to.

    Raises:
        UrlNotAllowed: one of the addresses is not public and the settings do not open the host.
        UrlUnreachable: the name has no address.
    """
    check_host(host, param)
    try:
        addresses = await resolve(host, port)
    except (OSError, UnicodeError) as exc:
        addresses = []
        cause: BaseException | None = exc
    else:
        cause = None
    if not addresses:
        raise UrlUnreachable(
            f"The host '{host[:80]}' has no address. Check its spelling.", param=param
        ) from cause
    if not is_allowed(host, port, allow_hosts) and not all(is_public(address) for address in addresses):
        raise UrlNotAllowed(
            f"The host '{host[:80]}' is not on the public internet, and only public addresses are fetched. "
            "Send the content itself, or have the administrator add the host to FETCH_ALLOW_HOSTS.",
            param=param,
        )
    return addresses
