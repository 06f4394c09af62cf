"""Routes, hosts, rates and settings, without a network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bootstrap import check_settings
from gateway.domain import cacheable
from gateway.domain.guard import Hosts, Origins, safe_path
from gateway.domain.headers import to_client
from gateway.domain.rates import Rate, Rates
from gateway.domain.routing import Kind, decide, model_of
from gateway.errors import Misconfigured
from gateway.settings import Settings
from servicekit import docs_page


@pytest.mark.parametrize(
    ("method", "path", "service"),
    [
        ("POST", "/v1/chat/completions", "chat"), ("POST", "/v1/completions", "chat"),
        ("GET", "/v1/responses/resp_1", "chat"), ("POST", "/v1/threads/t/runs/r/cancel", "chat"),
        ("POST", "/v1/fine_tuning/jobs", "chat"), ("POST", "/chat", "chat"), ("POST", "/api/chat", "chat"),
        ("POST", "/train", "chat"), ("DELETE", "/v1/personas/p1", "chat"), ("POST", "/v1/files", "chat"),
        ("POST", "/training/train", "rag"), ("POST", "/ask/question", "rag"), ("POST", "/v1/rerank", "rag"),
        ("POST", "/v1/embeddings", "rag"), ("GET", "/v1/documents/d1", "rag"), ("POST", "/v1/search", "rag"),
        ("POST", "/v1/vector_stores/v/search", "rag"), ("POST", "/v1/embedder", "rag"), ("POST", "/v1/images/generations", "image-gen"),
        ("POST", "/api/generate-image", "image-gen"), ("POST", "/v1/vision/captions", "vision"),
        ("POST", "/upload_image", "vision"), ("GET", "/v1/translations/languages", "translate"),
        ("POST", "/translate", "translate"), ("GET", "/languages", "translate"), ("POST", "/detect", "translate"),
        ("POST", "/v1/audio/speech", "tts"), ("GET", "/v1/audio/voices", "tts"), ("POST", "/text-to-audio", "tts"),
        ("GET", "/audio/6f1.wav", "tts"), ("GET", "/media/img_1", "image-gen"), ("GET", "/media/aud_1", "tts"),
        ("GET", "/media/upl_1", "vision"), ("GET", "/v1/jobs/job_image-gen_12345678-1", "image-gen"),
        ("GET", "/v1/jobs/job_rag_123456789/events", "rag"), ("DELETE", "/v1/jobs/job_chat_123456789", "chat"),
    ],
)  # fmt: skip
def test_every_path_goes_to_its_service(method, path, service):
    route = decide(method, path)
    assert (route.kind, route.service, route.open) == (Kind.SERVICE, service, False)


@pytest.mark.parametrize("path", ["/", "/index.html", "/assets/a.js", "/vision", "/settings", "/chatty"])
def test_other_reads_are_the_page(path):
    assert decide("GET", path).kind is Kind.PAGE


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nothing"), ("GET", "/api/nothing"), ("POST", "/nothing"), ("GET", "/media/xyz_1"),
        ("GET", "/v1"), ("POST", "/"), ("GET", "/v1/chatty"), ("GET", "/.well-known/else"),
    ],
)  # fmt: skip
def test_unknown_paths_of_the_api_are_nobodys(method, path):
    assert decide(method, path).kind is Kind.UNKNOWN


def test_models_are_acted_on_where_they_are():
    assert decide("POST", "/v1/models/org/name/load").kind is Kind.MODEL
    assert decide("DELETE", "/v1/models/tiny").kind is Kind.MODEL
    assert decide("POST", "/v1/models/install").kind is Kind.OWN
    assert decide("POST", "/v1/models/plan").kind is Kind.OWN
    assert decide("GET", "/v1/models/org/name").kind is Kind.OWN
    assert model_of("/v1/models/org/name/load") == "org/name"
    assert model_of("/v1/models/org/name") == "org/name"


def test_a_job_with_an_odd_id_is_nobodys():
    for path in ("/v1/jobs/job_evil_123456789", "/v1/jobs/x", "/v1/jobs/job_rag_1234/../../x"):
        assert decide("GET", path).kind is Kind.OWN


@given(st.text(alphabet="/abcv1.-_mediajobs%", max_size=40))
def test_any_path_is_decided_and_only_listed_ones_are_open(path):
    route = decide("POST", "/" + path)
    assert not route.open or "/" + path in ("/auth/login", "/auth/link", "/auth/introspect")


def test_hosts_are_an_allow_list():
    hosts = Hosts(("localhost", "127.0.0.1", "[::1]", "*.localhost"), "https://ai.example.org")
    good = ("localhost", "LOCALHOST:8001", "127.0.0.1:8001", "[::1]:8001", "a.localhost", "ai.example.org")
    bad = ("", "evil.com", "localhost.evil.com", "127.0.0.1.evil.com", "localhost@evil.com", "localhost, evil.com",
           "localhost/evil", "evil.com:8001", "127.0.0.2", "[::2]", "localhost evil", "ai.example.org.evil")  # fmt: skip
    assert all(hosts.allow(h) for h in good)
    assert not [h for h in bad if hosts.allow(h)]


def test_origins_are_the_own_page_or_listed():
    origins = Origins(("https://app.example.org",))
    assert origins.allow("http://localhost:8001", "localhost:8001", "http")
    assert origins.allow("https://app.example.org", "localhost:8001", "http")
    for origin in (
        "null",
        "http://evil.com",
        "http://localhost:8002",
        "http://localhost:8001.evil.com",
        "file://",
    ):
        assert not origins.allow(origin, "localhost:8001", "http")


@pytest.mark.parametrize("path", ["/a/../b", "/a/./b", "/..", "//evil", "/a\\b", "/a\x00", "/a\nb", "a"])
def test_ambiguous_paths_are_not_safe(path):
    assert not safe_path(path)


def test_dots_in_names_are_safe():
    assert safe_path("/assets/index-1.2.js") and safe_path("/.well-known/jwks.json") and safe_path("/a/..b")


@given(st.lists(st.floats(0, 300), max_size=200).map(sorted))
def test_no_minute_sees_more_than_the_rate_and_a_bit(times):
    rates = Rates(Rate.of("10/minute"))
    taken = [t for t in times if rates.take("k", t) is None]
    for t in taken:
        assert sum(t <= other < t + 60 for other in taken) <= 20
    for window in range(5):
        assert sum(window * 60 <= t < window * 60 + 60 for t in taken) <= 10


def test_a_reached_rate_tells_how_long_to_wait_and_keys_are_apart():
    rates = Rates(Rate.of("2/minute"))
    assert rates.take("a", 0) is None and rates.take("a", 1) is None
    wait = rates.take("a", 2)
    assert wait is not None and 0 < wait <= 120
    assert rates.take("b", 2) is None
    assert rates.take("a", 2 + wait) is None


@given(
    count=st.integers(1, 30),
    times=st.lists(st.floats(0, 300), max_size=60).map(sorted),
    elsewhere=st.integers(0, 40),
)
def test_who_waits_as_long_as_told_is_let_in_and_not_much_earlier(count, times, elsewhere):
    rates = Rates(Rate(count, 60))
    for now in times:
        rates.take("k", now)
    now = times[-1] if times else 0.0
    rates.reconcile("k", int(now // 60), elsewhere)
    wait = rates.take("k", now)
    if wait is None:
        return
    if wait > 0.1:
        assert rates.take("k", now + wait - 0.1) is not None
    assert rates.take("k", now + wait) is None


def test_counts_from_elsewhere_count():
    rates = Rates(Rate.of("10/minute"))
    assert rates.take("a", 0) is None
    assert rates.unsent(0) == [("a", 0, 1)] and rates.unsent(0) == []
    rates.reconcile("a", 0, 10)
    assert rates.take("a", 1) is not None


@pytest.mark.parametrize(
    "given_settings",
    [
        {"owner_password": "short"}, {"owner_password": "changeme123"}, {"owner_password": "passwordpassword"},
        {"owner_password": "aaaaaaaaaaaaaa"}, {"owner_api_key": "ofi_short"},
        {"auth": "off", "host": "0.0.0.0"}, {"auth": "off", "published_host": "192.168.1.5"},
    ],
)  # fmt: skip
def test_unsafe_settings_do_not_start(given_settings):
    with pytest.raises(Misconfigured):
        check_settings(Settings(**given_settings))


def test_safe_settings_start():
    check_settings(Settings(owner_password="long enough, random 7351"))
    check_settings(Settings(auth="off", host="0.0.0.0", published_host="127.0.0.1"))


def test_a_result_is_named_by_caller_call_and_content_but_not_by_the_boundary():
    def name(user="u", path="/p", kind="application/json", model="m", body=b"{}"):
        return cacheable.key(user, path, b"", "", kind, model, body)

    others = [name(user="v"), name(path="/q"), name(model="n"), name(body=b"[]")]
    assert name() not in others and len(set(others)) == 4
    form = "multipart/form-data; boundary="
    assert name(kind=form + "abc", body=b"--abc\r\nx--abc--") == name(
        kind=form + "xyz", body=b"--xyz\r\nx--xyz--"
    )


def test_a_kept_answer_comes_back_unchanged():
    headers = [(b"content-type", b"application/json"), (b"x-a", b"\xe9")]
    assert cacheable.unpack(cacheable.pack(200, headers, b"a\nb\n")) == (200, headers, b"a\nb\n")


def test_headers_named_by_connection_do_not_pass():
    kept = dict(to_client([(b"Connection", b"X-Hop, close"), (b"X-Hop", b"1"), (b"X-Kept", b"2")], []))
    assert b"x-hop" not in kept and kept[b"x-kept"] == b"2"


def test_every_file_of_the_page_of_calls_is_open_and_the_gateways_own():
    routes = [decide("GET", path) for path in docs_page.PATHS]
    assert all(route.open and route.kind is Kind.OWN for route in routes)
    assert not decide("POST", "/docs").open and not decide("GET", "/docs/other.js").open
