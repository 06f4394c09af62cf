"""Who comes in, and as whom."""

from __future__ import annotations

import asyncio
import json
import re
import time

import jwt
import pytest

from gateway.api.gate import CSRF_COOKIE, SESSION_COOKIE
from gateway.bootstrap import announce
from gateway.domain.routing import OPEN
from gateway.engine import resolver
from gateway.parts import assemble
from gateway.settings import Settings
from servicekit.contract import forged_tokens

from .conftest import KEY, PASSWORD, serve_gateway

LOGIN = {"username": "owner", "password": PASSWORD}


async def log_in(gateway, **given):
    async with gateway.client.post(gateway.url + "/auth/login", json=LOGIN | given) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json(), {name: morsel.value for name, morsel in answer.cookies.items()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def member(gateway, name="ana", password="a password for ana"):
    async with gateway.post("/auth/users", json={"username": name, "password": password}) as answer:
        assert answer.status == 201
        user = await answer.json()
    token, _ = await log_in(gateway, username=name, password=password)
    return user, bearer(token["access_token"])


async def test_login_by_json_and_by_form_gives_a_token_that_works(gateway):
    token, _ = await log_in(gateway)
    assert token["token_type"] == "bearer" and token["expires_in"] == 3600
    async with gateway.client.post(gateway.url + "/auth/login", data=LOGIN) as answer:
        assert answer.status == 200
    async with gateway.get("/auth/me", headers=bearer(token["access_token"])) as answer:
        me = await answer.json()
    assert (me["username"], me["role"], me["scopes"]) == ("owner", "owner", ["*"])


@pytest.mark.parametrize("given", [{"password": "wrong"}, {"username": "nobody"}])
async def test_wrong_credentials_are_401(gateway, given):
    async with gateway.client.post(gateway.url + "/auth/login", json=LOGIN | given) as answer:
        assert answer.status == 401 and "WWW-Authenticate" in answer.headers
        assert (await answer.json())["error"]["code"] == "wrong_password"


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"json": {"username": "x"}}, 400), ({"json": []}, 400), ({"data": b"{"}, 415),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": {"username": 1, "password": {}}}, 400),
        ({"data": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}, 400),
    ],
)  # fmt: skip
async def test_malformed_logins_are_4xx(gateway, more, status):
    async with gateway.client.post(gateway.url + "/auth/login", **more) as answer:
        assert answer.status == status
        assert set((await answer.json())["error"]) == {"message", "type", "param", "code"}


def all_routes(routes):
    for route in routes:
        included = getattr(route, "original_router", None)
        yield from all_routes(included.routes) if included else (route,)


async def test_nothing_but_the_written_list_answers_without_credentials(gateway):
    open_found = set()
    for route in all_routes(gateway.app.routes):
        for method in (getattr(route, "methods", None) or set()) - {"HEAD"}:
            path = route.path.replace("{user_id}", "u").replace("{key_id}", "k")
            path = path.replace("{rest:path}", "r").replace("{model_id:path}", "m")
            async with gateway.client.request(method, gateway.url + path, allow_redirects=False) as answer:
                if answer.status not in (401, 403) or answer.headers.get("WWW-Authenticate") is None:
                    open_found.add((method, path))
    assert open_found == OPEN
    paths = (
        "/v1/chat/completions",
        "/v1/images/generations",
        "/media/img_1",
        "/audio/x.wav",
        "/v1/audio/speech",
    )
    paths += (
        "/v1/jobs/job_rag_12345678",
        "/ask/question",
        "/translate",
        "/upload_image",
        "/v1/models/x/load",
    )
    for path in paths:
        for method in ("GET", "POST", "DELETE", "PUT", "PATCH"):
            async with gateway.client.request(method, gateway.url + path) as answer:
                assert answer.status == 401, (method, path)
                assert "WWW-Authenticate" in answer.headers
    assert not [s for s in gateway.fake.seen if s.path not in ("/readyz", "/openapi.json")]


async def test_forged_tokens_are_not_accepted(gateway):
    token, _ = await log_in(gateway)
    genuine, signer = token["access_token"], gateway.parts.signer
    tokens = forged_tokens(genuine, signer._key, signer.kid)
    claims = jwt.decode(genuine, options={"verify_signature": False})
    for cid in ("ses_none", "key_none", "", "key_%", None):
        tokens[f"cid {cid}"] = jwt.encode(claims | {"cid": cid}, signer._key, "EdDSA", {"kid": signer.kid})
    assert len(set(tokens.values())) >= 50
    keys = {
        "a wrong key": "ofi_wrong",
        "a longer key": KEY + "x",
        "a shorter key": KEY[:-1],
        "a word": "null",
    }
    for name, wrong in (tokens | keys).items():
        value = f"Bearer {wrong}".encode("latin-1", "replace").decode("latin-1")
        async with gateway.get("/auth/me", headers={"Authorization": value}) as answer:
            assert answer.status == 401, name
        if len(wrong) <= 4096:
            async with gateway.client.post(gateway.url + "/auth/introspect", json={"token": wrong}) as answer:
                assert answer.status in (401, 400), name
    for header in ("Basic b3duZXI6eA==", "Bearer", "bearer  ", KEY, f"Token {KEY}"):
        async with gateway.get("/auth/me", headers={"Authorization": header}) as answer:
            assert answer.status == 401, header
    async with gateway.get("/auth/me", headers=bearer(genuine)) as answer:
        assert answer.status == 200


async def test_the_page_logs_in_with_cookies_and_changes_need_the_csrf_header(gateway):
    _, cookies = await log_in(gateway)
    jar = {"Cookie": "; ".join(f"{n}={v}" for n, v in cookies.items())}
    csrf = {"X-CSRF-Token": cookies[CSRF_COOKIE]}
    async with gateway.get("/auth/me", headers=jar) as answer:
        assert answer.status == 200
    for headers, status in (
        (jar, 403),
        (jar | {"X-CSRF-Token": "wrong"}, 403),
        (jar | {"X-CSRF-Token": ""}, 403),
        (jar | csrf | {"Origin": "http://evil.example"}, 403),
        (jar | csrf | {"Origin": "null"}, 403),
        (jar | csrf | {"Sec-Fetch-Site": "cross-site"}, 403),
        (jar | csrf | {"Origin": gateway.url}, 200),
        (jar | csrf, 200),
    ):
        async with gateway.post("/v1/chat/completions", json={}, headers=headers) as answer:
            assert answer.status == status, headers
    assert len(gateway.fake.calls("/v1/chat/completions")) == 2


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(gateway):
    async with gateway.client.post(gateway.url + "/auth/login", json=LOGIN) as answer:
        morsel = answer.cookies[SESSION_COOKIE]
        assert morsel["httponly"] and morsel["samesite"].lower() == "lax" and morsel["path"] == "/"
        assert not answer.cookies[CSRF_COOKIE]["httponly"]
        assert answer.headers["Cache-Control"] == "no-store"


async def test_other_sites_cannot_log_a_browser_in(gateway):
    async with gateway.client.post(
        gateway.url + "/auth/login", data=LOGIN, headers={"Origin": "http://evil.example"}
    ) as answer:
        assert answer.status == 403 and not answer.cookies


async def test_after_logout_neither_cookie_nor_token_works(gateway):
    token, cookies = await log_in(gateway)
    headers = bearer(token["access_token"])
    async with gateway.post("/auth/logout", headers=headers) as answer:
        assert answer.status == 204
    async with gateway.get("/auth/me", headers=headers) as answer:
        assert answer.status == 401
    async with gateway.get(
        "/auth/me", headers={"Cookie": f"{SESSION_COOKIE}={cookies[SESSION_COOKIE]}"}
    ) as answer:
        assert answer.status == 401


async def test_the_link_logs_in_once(gateway):
    parts = gateway.parts
    lines = announce(parts.settings, parts.accounts, parts.credentials, parts.first_start)
    told = json.loads((parts.settings.data_dir / "first-start.json").read_text())
    assert told["api_key"] == KEY and told["password"] == PASSWORD and told["link"] in "\n".join(lines)
    for name in ("first-start.json", "link.json", "signing-key.pem"):
        assert (parts.settings.data_dir / name).stat().st_mode & 0o777 == 0o600
    secret = told["link"].split("#token=")[1]
    async with gateway.client.post(gateway.url + "/auth/link", json={"token": secret}) as answer:
        assert answer.status == 200 and SESSION_COOKIE in answer.cookies
    for again in (secret, "x", ""):
        async with gateway.client.post(gateway.url + "/auth/link", json={"token": again}) as answer:
            assert answer.status in (400, 401)


async def test_a_key_is_shown_once_has_scopes_and_stops_at_once(gateway):
    async with gateway.post("/auth/keys", json={"name": "tr", "scopes": ["translate"]}) as answer:
        assert answer.status == 201
        made = await answer.json()
    assert made["key"].startswith("ofi_")
    async with gateway.get("/auth/keys") as answer:
        listed = await answer.text()
    assert made["id"] in listed and made["key"] not in listed
    headers = bearer(made["key"])
    for path, status in (("/translate", 200), ("/v1/chat/completions", 403), ("/auth/keys", 403)):
        async with gateway.post(path, json={}, headers=headers) as answer:
            assert answer.status == status, path
    async with gateway.client.delete(f"{gateway.url}/auth/keys/{made['id']}", headers=gateway.auth) as answer:
        assert answer.status == 204
    async with gateway.post("/translate", json={}, headers=headers) as answer:
        assert answer.status == 401
    async with gateway.post("/auth/introspect", json={"token": made["key"]}, headers={}) as answer:
        assert answer.status == 401


async def test_a_key_revoked_by_another_process_stops_within_a_second(gateway, tmp_path):
    async with gateway.post("/auth/keys", json={"name": "k"}) as answer:
        made = await answer.json()
    headers = bearer(made["key"])
    async with gateway.get("/auth/me", headers=headers) as answer:
        owner = (await answer.json())["id"]
    gateway.parts.credentials.revoke_key(owner, made["id"])
    await asyncio.sleep(1.05)
    async with gateway.get("/auth/me", headers=headers) as answer:
        assert answer.status == 401


async def test_members_do_not_manage_accounts_and_see_only_their_keys(gateway):
    _, headers = await member(gateway)
    for method, path in (("GET", "/auth/users"), ("POST", "/auth/users"), ("DELETE", "/auth/users/x")):
        async with gateway.client.request(method, gateway.url + path, headers=headers, json={}) as answer:
            assert answer.status == 403
    async with gateway.get("/auth/keys") as answer:
        foreign = (await answer.json())["keys"][0]["id"]
    async with gateway.client.delete(f"{gateway.url}/auth/keys/{foreign}", headers=headers) as answer:
        assert answer.status == 404
    async with gateway.get("/auth/keys", headers=headers) as answer:
        assert (await answer.json())["keys"] == []


async def test_a_suspended_account_is_out_at_once(gateway):
    user, headers = await member(gateway)
    async with gateway.client.patch(
        f"{gateway.url}/auth/users/{user['id']}", headers=gateway.auth, json={"active": False}
    ) as answer:
        assert answer.status == 200 and (await answer.json())["active"] is False
    async with gateway.get("/auth/me", headers=headers) as answer:
        assert answer.status == 401
    given = {"username": "ana", "password": "a password for ana"}
    async with gateway.client.post(gateway.url + "/auth/login", json=given) as answer:
        assert answer.status == 401


async def test_the_last_owner_stays(gateway):
    async with gateway.get("/auth/me") as answer:
        me = (await answer.json())["id"]
    url = f"{gateway.url}/auth/users/{me}"
    for method, body in (("DELETE", None), ("PATCH", {"active": False}), ("PATCH", {"role": "member"})):
        async with gateway.client.request(method, url, headers=gateway.auth, json=body) as answer:
            assert answer.status == 409


async def test_services_learn_whose_a_key_is_and_get_nothing_that_could_be_used_elsewhere(gateway):
    async with gateway.client.post(gateway.url + "/auth/introspect", json={"token": KEY}) as answer:
        text = await answer.text()
    body = json.loads(text)
    assert body["claims"]["name"] == "owner" and body["claims"]["scopes"] == ["*"]
    assert not re.search(r"eyJ[\w-]+\.[\w-]+\.", text)


async def test_no_answer_of_the_gateway_holds_an_identity_token(gateway):
    """Services take those on their signature alone: a client that had one could go on when suspended."""
    token, cookies = await log_in(gateway)
    jar = {"Cookie": "; ".join(f"{n}={v}" for n, v in cookies.items())}
    seen = [json.dumps(token)]
    paths = [route.path for route in all_routes(gateway.app.routes) if "GET" in (route.methods or ())]
    for path in paths:
        for headers in (gateway.auth, bearer(token["access_token"]), jar):
            async with gateway.get(path, headers=headers, allow_redirects=False) as answer:
                seen.append(await answer.text() + str(answer.headers))
    for text in seen:
        for found in re.findall(r"eyJ[\w-]+\.[\w-]+\.[\w-]*", text):
            assert jwt.decode(found, options={"verify_signature": False})["typ"] == "access"


async def test_auth_off_makes_everybody_the_owner_but_not_other_sites(fake, tmp_path):
    async with serve_gateway(fake, tmp_path, auth="off") as gateway:
        async with gateway.post("/v1/chat/completions", json={}, headers={}) as answer:
            assert answer.status == 200
        async with gateway.post(
            "/v1/chat/completions", json={}, headers={"Origin": "http://evil.example"}
        ) as answer:
            assert answer.status == 403


async def test_foreign_hosts_odd_methods_and_ambiguous_paths_are_refused(gateway):
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "169.254.169.254"):
        for method in ("GET", "POST", "DELETE"):
            async with gateway.client.request(
                method, gateway.url + "/v1/chat/completions", headers=gateway.auth | {"Host": host}
            ) as answer:
                assert answer.status == 400 and "access-control-allow-origin" not in answer.headers
    async with gateway.client.request("TRACE", gateway.url + "/", headers=gateway.auth) as answer:
        assert answer.status == 405
    assert not gateway.fake.calls("/v1/chat/completions")


async def test_a_path_of_the_gateway_says_which_methods_it_answers(gateway):
    async with gateway.client.put(gateway.url + "/auth/keys", headers=gateway.auth) as answer:
        told = await answer.json()
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")
    assert told["error"]["message"] == "/auth/keys does not answer PUT. Use GET or POST."


def test_the_second_start_keeps_account_and_key_and_prints_only_a_new_link(tmp_path):
    first = assemble(Settings(data_dir=tmp_path))
    assert first.first_start is not None and len(first.first_start.password) >= 12
    again = assemble(Settings(data_dir=tmp_path))
    assert again.first_start is None and again.signer.kid == first.signer.kid
    lines = "\n".join(announce(again.settings, again.accounts, again.credentials, None))
    assert "#token=" in lines and first.first_start.api_key not in lines
    for parts in (first, again):
        parts.resolver.close()
        parts.passwords.close()


async def test_a_flood_of_calls_of_one_caller_looks_it_up_once(gateway, monkeypatch):
    asked = []
    credentials = gateway.parts.resolver._credentials
    find = credentials.find_key

    def slow(secret: str):
        asked.append(secret)
        time.sleep(0.1)
        return find(secret)

    monkeypatch.setattr(credentials, "find_key", slow)
    monkeypatch.setattr(resolver, "_REMEMBER_S", 300.0)

    async def me() -> int:
        async with gateway.get("/auth/me") as answer:
            return answer.status

    gateway.parts.resolver.forget()
    assert set(await asyncio.gather(*(me() for _ in range(100)))) == {200}
    assert len(asked) == 1
