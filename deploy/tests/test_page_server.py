"""How the built page is handed out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from deploy.page_server import create_app


@pytest.fixture
def page(tmp_path: Path) -> Iterator[TestClient]:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>Oficina</title>")
    (folder / "assets" / "a1b2.js").write_text("1")
    (folder / "assets" / "worker").mkdir()
    (folder / "assets" / "worker" / "c3d4.js").write_text("1")
    (tmp_path / "secret.txt").write_text("no")
    with TestClient(create_app(folder)) as client:
        yield client


def test_the_pages_own_routes_answer_the_index(page: TestClient) -> None:
    for path in ("/", "/chat", "/documents/42"):
        answer = page.get(path)
        assert answer.status_code == 200
        assert "Oficina" in answer.text
        assert answer.headers["cache-control"] == "no-cache"


def test_hashed_files_are_kept_by_browsers(page: TestClient) -> None:
    assert "immutable" in page.get("/assets/a1b2.js").headers["cache-control"]


def test_missing_files_and_paths_outside_the_folder_are_not_found(page: TestClient) -> None:
    assert page.get("/assets/none.js").status_code == 404
    assert page.get("/%2e%2e/secret.txt").status_code == 404
    assert page.get("/..%2fsecret.txt").status_code == 404


def test_the_page_allows_no_foreign_script(page: TestClient) -> None:
    assert "default-src 'self'" in page.get("/").headers["content-security-policy"]


def test_only_scripts_of_workers_may_compile_webassembly(page: TestClient) -> None:
    for path, may in (("/", False), ("/assets/a1b2.js", False), ("/assets/worker/c3d4.js", True)):
        assert ("wasm-unsafe-eval" in page.get(path).headers["content-security-policy"]) is may


def test_it_is_ready_only_when_the_page_is_built(page: TestClient, tmp_path: Path) -> None:
    assert page.get("/readyz").json()["status"] == "ready"
    with TestClient(create_app(tmp_path / "nothing")) as empty:
        assert empty.get("/healthz").status_code == 200
        assert empty.get("/readyz").status_code == 503
