"""Which headers pass between a client and a service, and which are the gateway's alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

RawHeaders = Iterable[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection",
        b"te", b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
_NEVER_FORWARDED = _HOP_BY_HOP | {
    b"authorization", b"cookie", b"host", b"expect", b"content-length", b"x-csrf-token", b"forwarded",
    b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port",
    b"x-forwarded-prefix", b"x-real-ip", b"x-request-id", b"x-original-url", b"x-rewrite-url",
    b"x-request-timeout",
    b"origin", b"referer", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest", b"sec-fetch-user",
    b"access-control-request-method", b"access-control-request-headers",
}  # fmt: skip
"""Whose page asks is judged here once: a service behind the gateway would judge it by the wrong host."""
_USUAL = (b"keep-alive", b"close")
"""Values of Connection that name no header."""
_NEVER_RETURNED = _HOP_BY_HOP | {b"server", b"date", b"set-cookie", b"x-request-id", b"x-powered-by"}

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
"""Content security policy of the web page."""
WORKERS = "/assets/worker/"
"""Where the page's build puts the scripts of web workers."""
_WORKER_CSP = CSP.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
"""A worker has the policy of its own script: the models in the browser are WebAssembly, the page itself runs none."""

_COMMON = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
PAGE_SECURITY = [
    *_COMMON,
    (b"content-security-policy", CSP.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    # with the line above: memory that threads share, for the models in the browser. Nothing here is of another origin.
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(self)"),
]
"""Headers put on every answer that is the page, but for the scripts of its workers."""
_WORKER_SECURITY = [
    (name, _WORKER_CSP.encode() if name == b"content-security-policy" else value)
    for name, value in PAGE_SECURITY
]
API_SECURITY = [
    *_COMMON,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""Headers put on every other answer: what a service returns is never run as a page."""
_NOT_KEPT = (b"cache-control", b"private, no-store")
SHARED_SECURITY = [
    *(
        (name, b"cross-origin" if name == b"cross-origin-resource-policy" else value)
        for name, value in API_SECURITY
    ),
    _NOT_KEPT,
]
"""The same for a medium that its address opens: whoever has that one may show it on a page of their own, but their
browser keeps nothing that it would show when the address has ended."""
_NEVER_GIVEN = _NEVER_RETURNED.union(name for name, _ in (*PAGE_SECURITY, *API_SECURITY))
_NEVER_SHARED = _NEVER_GIVEN.union(name for name, _ in SHARED_SECURITY)


def page_security(path: str) -> list[tuple[bytes, bytes]]:
    """Return the headers put on the page's answer to `path`."""
    return _WORKER_SECURITY if path.startswith(WORKERS) else PAGE_SECURITY


def _named_by_connection(values: list[bytes]) -> frozenset[bytes]:
    """Return the names of headers that are for the next hop only, as values of Connection list them."""
    named = {part.strip().lower() for value in values for part in value.split(b",")}
    return frozenset(named - {b"close", b"keep-alive"})


def to_service(
    headers: list[tuple[bytes, bytes]],
    *,
    token: str,
    request_id: str,
    client: str,
    host: str,
    scheme: str,
    trace: Mapping[str, str],
) -> list[tuple[str, str]]:
    """Return the headers that a service gets: the client's harmless ones and the gateway's own.

    `trace` takes the place of the client's own trace headers, unless it is empty.
    """
    kept, connection = [], []
    for name, value in headers:
        if name not in _NEVER_FORWARDED:
            kept.append((name.decode("latin-1"), value.decode("latin-1")))
        elif name == b"connection" and value not in _USUAL:
            connection.append(value)
    if connection and (dropped := _named_by_connection(connection)):
        kept = [pair for pair in kept if pair[0].encode("latin-1") not in dropped]
    if trace:
        kept = [pair for pair in kept if pair[0] not in ("traceparent", "tracestate")] + [*trace.items()]
    if token:
        kept.append(("authorization", f"Bearer {token}"))
    kept += [
        ("x-request-id", request_id),
        ("x-forwarded-for", client),
        ("x-forwarded-proto", scheme),
        ("x-forwarded-host", host),
    ]
    return kept


def to_client(headers: RawHeaders, own: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return what the client gets: of a service's headers what is not the gateway's to say, and its `own`."""
    kept, connection = [], []
    never = _NEVER_SHARED if _NOT_KEPT in own else _NEVER_GIVEN
    for raw, value in headers:
        name = raw.lower()
        if name not in never:
            kept.append((name, value))
        elif name == b"connection" and value not in _USUAL:
            connection.append(value)
    if connection and (dropped := _named_by_connection(connection)):
        kept = [pair for pair in kept if pair[0] not in dropped]
    return kept + own
