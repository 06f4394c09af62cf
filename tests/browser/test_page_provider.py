"""The login page with an OpenID Connect provider: the button, the way there, and the reason when it fails."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.browser import WIDE, chromium
from tests.browser.small import SmallStack, small_stack

pytestmark = pytest.mark.browser


class Provider(BaseHTTPRequestHandler):
    """Says where it is, and that the person said no."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Describe itself, or send the browser back."""
        asked = urlsplit(self.path)
        here = f"http://127.0.0.1:{self.server.server_address[1]}"
        if asked.path == "/.well-known/openid-configuration":
            told = {"issuer": here, "authorization_endpoint": f"{here}/authorize", "token_endpoint": f"{here}/token",
                    "jwks_uri": f"{here}/jwks"}  # fmt: skip
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        given = {name: values[0] for name, values in parse_qs(asked.query).items()}
        self.send_response(302)
        self.send_header("location", f"{given['redirect_uri']}?error=access_denied&state={given['state']}")
        self.end_headers()


@pytest.fixture(scope="module")
def provided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallStack]:
    """A small stack with a provider called Casa."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWAY_OIDC_ISSUER", f"http://127.0.0.1:{server.server_port}")
        patch.setenv("GATEWAY_OIDC_CLIENT_ID", "oficina")
        patch.setenv("GATEWAY_OIDC_NAME", "Casa")
        patch.setenv("GATEWAY_OIDC_ALLOWED_DOMAINS", "example.org")
        with small_stack(tmp_path_factory.mktemp("provided")) as stack:
            yield stack
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["pt-BR", "en-US"])
def page(request: pytest.FixtureRequest, provided: SmallStack) -> Iterator[Page]:
    """The login page in one of both languages."""
    with chromium() as browser:
        opened = browser.new_context(locale=request.param, viewport=WIDE).new_page()
        opened.goto(provided.site.url)
        yield opened


def test_the_button_leads_to_the_provider_and_a_refusal_is_said_in_the_readers_language(
    page: Page, provided: SmallStack
) -> None:
    button = page.get_by_role("link", name=re.compile("^(Entrar com|Sign in with) Casa$"))
    expect(button).to_be_visible()
    portuguese = button.inner_text().startswith("Entrar")
    button.click()
    said = "O provedor não confirmou a entrada" if portuguese else "The provider did not sign you in"
    expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page.locator("input[name=username]")).to_be_visible()
    assert "login_error" not in page.url
    page.goto(f"{provided.site.url}/#login_error=%3Cimg%3E")
    page.reload()
    expect(page.get_by_role("alert")).to_have_count(0)
