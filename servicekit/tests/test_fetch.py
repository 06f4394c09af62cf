"""A URL in a request is fetched within limits, and never from the own network."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from servicekit.fetch import (
    Fetched,
    UrlNotAllowed,
    UrlTooLarge,
    UrlUnreachable,
    UrlWrongType,
    fetch,
)
from servicekit.fetch.address import is_public

INTERNAL = [
    "http://127.0.0.1/",
    "http://127.0.0.1:8002/x",
    "http://localhost/",
    "http://0.0.0.0/",
    "http://0/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.1./",
    "http://①②⑦.⓪.⓪.①/",
    "http://10.0.0.1/",
    "http://172.16.5.4/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://192.88.99.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::ffff:a00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25lo]/",
    "http://[fc00::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://user@127.0.0.1/",
    "http://example.com@127.0.0.1/",
    "http://example.com:80@127.0.0.1/",
    "http://example.com\\@127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http://127.0.0.1\t/",
    "http://exa mple.com/",
    "http://",
    "http:///etc/passwd",
    "//127.0.0.1/",
    "127.0.0.1",
    "",
    "file:///etc/passwd",
    "ftp://127.0.0.1/",
    "gopher://127.0.0.1/",
    "unix:///var/run/docker.sock",
    "javascript:alert(1)",
    "http://127.0.0.1:99999/",
    "http://[::1",
    "http://" + "a" * 5000 + ".com/",
]


async def test_a_path_is_refused_as_one() -> None:
    with pytest.raises(UrlNotAllowed) as caught:
        await fetch("/media/img_1", max_bytes=1000, timeout_s=3)
    assert caught.value.message == (
        "The URL names no scheme and host. Use a plain http:// or https:// address."
    )


async def to_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.mark.parametrize("url", INTERNAL)
async def test_no_way_of_writing_an_internal_address_is_followed(url: str) -> None:
    with pytest.raises((UrlNotAllowed, UrlUnreachable)) as caught:
        await fetch(url, max_bytes=1000, timeout_s=3)
    assert "spelling" not in caught.value.message or "①" in url


@pytest.mark.parametrize("answer", ["127.0.0.1", "10.1.2.3", "::1", "::ffff:10.0.0.1", "169.254.169.254"])
async def test_a_public_name_that_leads_inside_is_refused(answer: str) -> None:
    async def mixed(host: str, port: int) -> list[str]:
        return ["93.184.216.34", answer]

    with pytest.raises(UrlNotAllowed) as caught:
        await fetch("http://example.com/", max_bytes=10, timeout_s=3, resolve=mixed)
    assert answer not in caught.value.message


@given(st.ip_addresses())
def test_only_addresses_that_python_calls_global_are_public(address: object) -> None:
    if is_public(str(address)):
        assert address.is_global and not address.is_multicast  # type: ignore[attr-defined]


class Site:
    """A small local server; `hosts` opens it for a fetch."""

    def __init__(self) -> None:
        self.hits: list[str] = []
        self.port = 0
        self.open_streams = 0

    @property
    def hosts(self) -> tuple[str, ...]:
        return (f"site.test:{self.port}",)

    def url(self, path: str) -> str:
        return f"http://site.test:{self.port}{path}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.hits.append(request.path)
        name = request.path.strip("/")
        if name == "png":
            return web.Response(body=b"PNG", content_type="image/png")
        if name == "html":
            return web.Response(text="<p>", content_type="text/html")
        if name == "missing":
            return web.Response(status=404)
        if name == "zipped":
            return web.Response(body=b"zz", content_type="image/png", headers={"Content-Encoding": "gzip"})
        if name == "announced":
            return web.Response(body=b"x" * 5000, content_type="image/png")
        if name == "to":
            return web.Response(status=302, headers={"Location": request.query["u"]})
        if name == "loop":
            return web.Response(status=302, headers={"Location": "/loop"})
        return await self._stream(request, endless=name == "endless")

    async def _stream(self, request: web.Request, endless: bool) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "image/png"})
        await answer.prepare(request)
        self.open_streams += 1
        try:
            while True:
                await answer.write(b"x" * (65536 if endless else 1))
                await asyncio.sleep(0 if endless else 0.05)
        except (ConnectionError, asyncio.CancelledError):
            return answer
        finally:
            self.open_streams -= 1


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_get("/{tail:.*}", site.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    tcp = web.TCPSite(runner, "127.0.0.1", 0)
    await tcp.start()
    site.port = runner.addresses[0][1]
    yield site
    await runner.cleanup()


async def get(site: Site, path: str, **options: object) -> Fetched:
    settings = {
        "max_bytes": 1000,
        "timeout_s": 60,
        "allow_hosts": site.hosts,
        "resolve": to_loopback,
    } | options
    return await fetch(site.url(path), **settings)  # type: ignore[arg-type]


async def test_an_allowed_host_is_fetched_with_its_type(site: Site) -> None:
    found = await get(site, "/png", media_types=("image/*",))
    assert (found.content, found.media_type, found.final_url) == (b"PNG", "image/png", site.url("/png"))


async def test_allowing_one_port_does_not_open_another(site: Site) -> None:
    with pytest.raises(UrlNotAllowed):
        await get(site, "/png", allow_hosts=("site.test:1",))
    assert site.hits == []


async def test_a_type_that_is_not_read_is_refused(site: Site) -> None:
    with pytest.raises(UrlWrongType, match="text/html"):
        await get(site, "/html", media_types=("image/*",))


async def test_compressed_content_is_refused(site: Site) -> None:
    with pytest.raises(UrlWrongType, match="gzip"):
        await get(site, "/zipped")


async def test_an_error_of_the_server_is_told(site: Site) -> None:
    with pytest.raises(UrlUnreachable, match="404"):
        await get(site, "/missing")


async def test_a_redirect_within_the_rules_is_followed(site: Site) -> None:
    assert (await get(site, "/to/?u=/png")).final_url == site.url("/png")


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/png",
        "http://[::1]:{port}/",
        "file:///etc/passwd",
        "data:,x",
        "http://u:p@site.test/",
    ],
)
async def test_a_redirect_is_checked_like_the_first_address(site: Site, target: str) -> None:
    async def as_written(host: str, port: int) -> list[str]:
        return ["127.0.0.1"] if host == "site.test" else [host]

    with pytest.raises((UrlNotAllowed, UrlUnreachable)):
        await get(site, "/to/?u=" + target.format(port=site.port), resolve=as_written)
    assert "/png" not in site.hits


async def test_endless_redirects_end(site: Site) -> None:
    with pytest.raises(UrlUnreachable, match="more than 5"):
        await get(site, "/loop")
    assert len(site.hits) == 6


@pytest.mark.parametrize("path", ["/endless", "/announced"])
async def test_content_over_the_limit_is_cut_off(site: Site, path: str) -> None:
    with pytest.raises(UrlTooLarge, match="1000"):
        await get(site, path)


async def test_a_slow_source_is_left_at_the_deadline(site: Site) -> None:
    with pytest.raises(UrlUnreachable, match=r"0\.3 seconds"):
        await get(site, "/slow", timeout_s=0.3)  # it has no end


async def test_the_address_that_was_checked_is_the_one_connected_to(site: Site) -> None:
    answers = iter([["127.0.0.1"], ["10.255.255.1"]])

    async def rebinding(host: str, port: int) -> list[str]:
        return next(answers)

    assert (await get(site, "/png", resolve=rebinding)).content == b"PNG"


async def test_a_data_url_is_decoded() -> None:
    encoded = base64.b64encode(b"\x89PNG").decode()
    found = await fetch(f"data:image/png;base64,{encoded}", max_bytes=10, media_types=("image/*",))
    assert found == Fetched(b"\x89PNG", "image/png", "data:image/png")
    assert (await fetch("data:,a%20b", max_bytes=10)).content == b"a b"


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("data:image/png;base64,@@@", UrlNotAllowed),
        ("data:image/png;base64", UrlNotAllowed),
        ("data:text/html,x", UrlWrongType),
        ("data:image/png;base64," + "A" * 4000, UrlTooLarge),
    ],
)
async def test_a_wrong_data_url_is_refused(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await fetch(url, max_bytes=1000, media_types=("image/*",))
