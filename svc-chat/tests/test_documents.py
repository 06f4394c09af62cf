"""The documents' own calls, literally: bodies, names, messages and settings that existing clients rely on."""

import json
from collections.abc import AsyncIterator, Callable

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import assert_error
from servicekit.errors import UpstreamFailed
from svc_chat.engine.base import Delta, GenerationRequest
from svc_chat.engine.fake import FakeEngine
from svc_chat.settings import Settings

Make = Callable[..., TestClient]


# chatbot with Llama and image analysis


def test_the_system_prompt_programs_the_bot(make_client: Make) -> None:
    engine = FakeEngine("Sim.")
    body = {"system_prompt": "Responda em uma palavra.", "user_input": "Tudo bem?"}
    answer = make_client(engine).post("/chat", json=body)
    assert answer.json() == {"response": "Sim."}
    turns = [(turn.role, turn.content) for turn in engine.requests[0].messages]
    assert turns == [("system", "Responda em uma palavra."), ("user", "Tudo bem?")]


def test_an_empty_system_prompt_is_none(make_client: Make) -> None:
    engine = FakeEngine()
    make_client(engine).post("/chat", json={"system_prompt": "", "user_input": "Oi"})
    assert [turn.role for turn in engine.requests[0].messages] == ["user"]


def test_the_models_path_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHAT_MODEL_PATH", "MODEL_PATH"):
        monkeypatch.setenv(name, "/models/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
        assert Settings().model_path.stem == "qwen2.5-coder-0.5b-instruct-q4_k_m"
        monkeypatch.delenv(name)


# personal LLM


def test_api_chat_has_the_documents_defaults(make_client: Make) -> None:
    engine = FakeEngine("Olá a todos")
    answer = make_client(engine).post("/api/chat", json={"message": "Oi"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert all({"response", "done"} <= line.keys() for line in lines)
    assert "".join(line["response"] for line in lines) == "Olá a todos"
    assert [line["done"] for line in lines].count(True) == 1
    assert lines[-1]["done"] is True


class Breaking(FakeEngine):
    """Fails before its first word, or after it."""

    def __init__(self, early: bool):
        super().__init__()
        self._early = early

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        if not self._early:
            yield Delta("Olá")
        raise UpstreamFailed("The server broke off.")


def test_api_chats_early_error_has_a_status_and_a_late_one_is_the_last_line(make_client: Make) -> None:
    early = make_client(Breaking(early=True)).post("/api/chat", json={"message": "Oi"})
    assert early.status_code == 502
    assert_error(early)
    late = make_client(Breaking(early=False)).post("/api/chat", json={"message": "Oi"})
    lines = [json.loads(line) for line in late.text.splitlines()]
    assert (late.status_code, lines[0]["response"]) == (200, "Olá")
    assert lines[-1]["done"] is True
    assert lines[-1]["error"]["message"] == "The server broke off."


def test_the_documents_settings_work_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "HOST": "0.0.0.0", "PORT": "9001", "DEBUG": "true", "RELOAD": "true", "WORKERS": "2", "KEEP_ALIVE": "30",
        "LOG_LEVEL": "debug", "OLLAMA_HOST": "ollama.local", "OLLAMA_TIMEOUT": "120",
        "DEFAULT_MODEL": "llama3.2:latest", "MAX_TOKENS": "512", "CORS_ORIGINS": "http://a.example,http://b.example",
        "DEVICE": "cpu",
    }  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.host, settings.port, settings.debug, settings.reload) == ("0.0.0.0", 9001, True, True)
    assert (settings.workers, settings.keep_alive, settings.log_level) == (2, 30, "DEBUG")
    assert (settings.ollama_host, settings.ollama_timeout) == ("http://ollama.local:11434", 120)
    assert (settings.default_model, settings.max_tokens, settings.device) == ("llama3.2:latest", 512, "cpu")
    assert settings.cors_origins == ("http://a.example", "http://b.example")


def test_ollama_has_300_seconds_and_an_answer_2048_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OLLAMA_TIMEOUT", "MAX_TOKENS"):
        monkeypatch.delenv(name, raising=False)
    assert (Settings().ollama_timeout, Settings().max_tokens) == (300, 2048)


def test_no_answer_is_longer_than_the_most_tokens(make_client: Make) -> None:
    engine = FakeEngine()
    body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 100_000}
    make_client(engine).post("/v1/chat/completions", json=body)
    assert engine.requests[0].sampling.max_tokens == 2048


# personas and managed history


def test_msg_is_answered_as_plain_text_with_its_line_breaks(make_client: Make) -> None:
    answer = make_client(FakeEngine("Uma linha\n\noutra linha")).post("/chat", json={"msg": "Olá"})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "Uma linha\n\noutra linha"


def test_the_documents_personas_are_imported_and_speak(make_client: Make) -> None:
    engine = FakeEngine()
    client = make_client(engine)
    given = {"personas": [{"name": "Chef", "description": "Fala como um chef francês."}]}
    assert client.post("/v1/personas/import", json=given).status_code == 201
    body = {"messages": [{"role": "user", "content": "Olá"}], "persona": "Chef"}
    assert client.post("/v1/chat/completions", json=body).status_code == 200
    system = engine.requests[0].messages[0]
    assert system.role == "system"
    assert "Chef" in system.content
    assert "Fala como um chef francês." in system.content


# names of models that existing clients send


@pytest.mark.parametrize(
    "name", ["llama3.2:latest", "phi3:mini", "gpt-4-1106-preview", "gpt-4o", "gpt-4o-mini", "gpt-3.5-turbo"]
)
def test_names_of_the_documents_are_answered_by_the_model_that_is_there(
    shared: TestClient, name: str
) -> None:
    body = {"model": name, "messages": [{"role": "user", "content": "Olá"}]}
    assert shared.post("/v1/chat/completions", json=body).json()["model"] == "fake-chat"
    lines = shared.post("/api/chat", json={"message": "Olá", "model": name}).text.splitlines()
    assert json.loads(lines[0])["model"] == "fake-chat"
    listed = {row["id"]: row for row in shared.get("/v1/models").json()["data"]}
    assert listed[name]["alias_of"] == "fake-chat"


def test_another_unknown_name_is_a_404_that_says_what_is_there(shared: TestClient) -> None:
    for path, body in (
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Olá"}]}),
        ("/v1/completions", {"prompt": "Olá"}),
        ("/api/chat", {"message": "Olá"}),
    ):
        answer = shared.post(path, json={**body, "model": "gpt-99"})
        assert answer.status_code == 404
        assert_error(answer, "model_not_found")
        assert "fake-chat" in answer.json()["error"]["message"]
