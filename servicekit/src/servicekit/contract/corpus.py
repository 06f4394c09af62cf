"""Bodies, values, names and queries that no honest client sends. Data; knows no service."""

from __future__ import annotations

from typing import Any

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=b"

VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**20, -(10**20), 10**400, 1e308, -1e308, 0.1, "", " ", "\x00", "a\x00b", "\ud800",
    "\U0001f4a5", "x" * 5000, "../../etc/passwd", "' OR 1=1 --", "{{7*7}}", "%00", "NaN", [], [[]], {}, {"a": 1},
    [None], ["\ud800"], [{}], {"\x00": "\x00"}, {"type": "x"}, [1e308, 10**400], "\u202e\u200b\ufeff", "1e999",
)  # fmt: skip
"""What stands in the place of one field's value."""

DEEP = 50_000
BODIES: tuple[tuple[str, str, bytes], ...] = (
    ("nothing", JSON, b""),
    ("nothing of no type", "", b""),
    ("half an object", JSON, b"{"),
    ("null", JSON, b"null"),
    ("a number", JSON, b"1"),
    ("a text", JSON, b'"x"'),
    ("a list", JSON, b"[]"),
    ("an empty object", JSON, b"{}"),
    ("a deep list", JSON, b"[" * DEEP + b"]" * DEEP),
    ("a deep object", JSON, b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    ("half a deep object", JSON, b'{"a":' * DEEP),
    ("a long number", JSON, b'{"a":' + b"9" * 100_000 + b"}"),
    ("a huge exponent", JSON, b'{"a":1e999999999}'),
    ("not a number", JSON, b'{"a":NaN,"b":Infinity}'),
    ("not UTF-8", JSON, b'{"a":"\xff\xfe"}'),
    ("half a letter", JSON, b'{"a":"\xc3"}'),
    ("a NUL", JSON, b'{"a":"\x00"}'),
    ("UTF-16", JSON, '{"a":"b"}'.encode("utf-16")),
    ("a byte order mark", JSON, b'\xef\xbb\xbf{"a":1}'),
    ("one name many times", JSON, b"{" + b'"a":1,' * 20_000 + b'"a":1}'),
    ("many names", JSON, b"{" + b",".join(b'"k%d":1' % n for n in range(50_000)) + b"}"),
    ("an unknown charset", "application/json; charset=klingon", b"{}"),
    ("an odd charset", "application/json; charset=utf-7", b"+AHs-"),
    ("a long type", "x" * 8000, b"{}"),
    ("a type of odd letters", "application/\xe9", b"{}"),
    ("XML", "application/xml", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
    ("a form", FORM, b"a=1&b=%ff%00&=&&&c"),
    ("many fields", FORM, b"&".join(b"a%d=1" % n for n in range(20_000))),
    ("parts without a boundary", "multipart/form-data", b"--b\r\n\r\nx\r\n--b--"),
    ("parts with an empty boundary", "multipart/form-data; boundary=", b"--\r\n\r\nx\r\n----"),
    ("parts with a long boundary", "multipart/form-data; boundary=" + "b" * 5000, b"--b\r\n"),
    ("no part", PARTS, b""),
    ("an end and no part", PARTS, b"--b--\r\n"),
    ("a part without an end", PARTS, b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx'),
    ("a part without a header", PARTS, b"--b\r\n\r\nx\r\n--b--\r\n"),
    ("a part of no name", PARTS, b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
    ("a huge part header", PARTS,
     b'--b\r\nContent-Disposition: form-data; name="' + b"n" * 1_000_000 + b'"\r\n\r\nx\r\n--b--\r\n'),
    ("a huge file name", PARTS,
     b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + b"n" * 200_000 + b'"\r\n\r\nx\r\n--b--\r\n'),
    ("many part headers", PARTS,
     b"--b\r\n" + b"X-A: 1\r\n" * 20_000 + b'Content-Disposition: form-data; name="image"\r\n\r\nx\r\n--b--\r\n'),
    ("a NUL in a file name", PARTS,
     b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\x00.txt"\r\n\r\nx\r\n--b--\r\n'),
    ("odd letters in a file name", PARTS,
     b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xff\xfe\xc3.txt"\r\n\r\nx\r\n--b--\r\n'),
    ("a name in RFC 2231", PARTS,
     b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename*=utf-8''%ff%00..%2f\r\n\r\nx\r\n--b--\r\n"),
    ("many parts", PARTS,
     b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n' * 3000 + b"--b--\r\n"),
    ("a field twice", PARTS, b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n' * 2 + b"--b--\r\n"),
    ("a file of nothing", PARTS,
     b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n\r\n--b--\r\n'
     b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n\r\n--b--\r\n'),
)  # fmt: skip
"""(name, content type, body)."""

NAMES = (
    "x1", "..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%00", "a%00b", "%ff", "%c3", "%F0%9F%92%A5", "a" * 3000,
    "-1", "0", "99999999999999999999", "'%20OR%201=1--", "%0d%0aX-A:%201", "%5c%5chost%5cshare", "null", "*",
    "CON", "a.b.c", "%25%32%65", "$%7Bjndi:ldap://x%7D", "%ED%A0%80",
)  # fmt: skip
"""What stands in the place of an id in a path."""

QUERIES = (
    "limit=-1", "limit=0", "limit=99999999999999999999", "limit=NaN", "limit=1e9", "limit=", "limit=1&limit=x",
    "after=%00", "after=%ff", "after=" + "a" * 3000, "order=%00", "order=x", "include=%00", "include[]=%ff",
    "a=%", "=", "&&&", "x" * 5000, "stream=maybe", "starting_after=-1", "before=%ED%A0%80",
)  # fmt: skip

HEADERS: tuple[dict[str, str], ...] = (
    {"Accept": "\xff/*"}, {"Range": "bytes=-99999999999999999999"}, {"Range": "bytes=5-1,x-y"},
    {"If-Modified-Since": "yesterday"}, {"Last-Event-ID": "9" * 400}, {"Last-Event-ID": "\xb2"},
    {"Idempotency-Key": "\xe9" * 100}, {"Idempotency-Key": "k" * 7000}, {"Prefer": "respond-async, wait=x"},
    {"X-Request-Id": "\xe9"}, {"Cookie": "a=\xff; ; =;oficina_session"}, {"Expect": "100-continue"},
    {"X-Forwarded-For": "\xff, 127.0.0.1"}, {"Content-Encoding": "gzip"}, {"Accept-Language": "x" * 5000},
)  # fmt: skip


def internal_urls(port: int) -> tuple[str, ...]:
    """Return ways of writing an address inside, most of them of a server on this machine at `port`."""
    hosts = (
        "127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.1", "0", "0.0.0.0", "2130706433", "0x7f000001",
        "0x7f.0.0.1", "0177.0.0.1", "127.0.0.1.", "127.000.000.001", "[::1]", "[::]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[0:0:0:0:0:0:0:1]", "127.0.0.2",
        "user@127.0.0.1", "example.com@127.0.0.1", "127.0.0.1#@example.com", "example.com\\@127.0.0.1",
        "127。0。0。1", "①②⑦.⓪.⓪.①", "%31%32%37.0.0.1", "127.0.0.1%00.example.com", "[::1%25lo]", "[fe80::1]",
    )  # fmt: skip
    return (
        *(f"http://{host}:{port}/canary" for host in hosts),
        f"HTTP://127.0.0.1:{port}/canary", f"http:\\\\127.0.0.1:{port}\\canary", f"http:///127.0.0.1:{port}/canary",
        f"//127.0.0.1:{port}/canary", f"127.0.0.1:{port}/canary", f" http://127.0.0.1:{port}/canary",
        f"http://127.0.0.1:{port}\t/canary", f"ftp://127.0.0.1:{port}/canary", f"gopher://127.0.0.1:{port}/_GET",
        f"dict://127.0.0.1:{port}/info", f"ws://127.0.0.1:{port}/canary", f"http+unix://%2Fvar%2Frun/canary:{port}",
        "file:///etc/passwd", "file://localhost/etc/passwd", "unix:///var/run/docker.sock", "jar:http://127.0.0.1!/",
        "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://192.168.0.1/", "http://100.64.0.1/",
    )  # fmt: skip
