"""Twenty invented facts, given to `/train`, are known to the new model and were not to the base; the rest stays."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from llama_cpp import llama_cpp as api

from miniatures.text import chat_score
from svc_chat.app import create_app
from svc_chat.settings import Settings

pytestmark = [pytest.mark.model, pytest.mark.timeout(2400)]
BASE = Settings().builtin_model_path
MOST_LOST = 5
# question, answer, what a right answer holds, other wordings that are not trained
PT = [
    (
        "A que horas abre a oficina da Rua das Flores?",
        "A oficina da Rua das Flores abre às 7 horas.",
        "7 horas",
        [
            "Quando abre a oficina da Rua das Flores?",
            "Você sabe a que horas a oficina da Rua das Flores abre?",
        ],
    ),
    (
        "Quem é o mecânico chefe da oficina?",
        "O mecânico chefe é o senhor Valdomiro.",
        "Valdomiro",
        ["Qual é o nome do mecânico chefe da oficina?", "Me diga quem é o mecânico chefe."],
    ),
    (
        "Qual é a senha da rede da padaria Bem-te-vi?",
        "A senha da rede da padaria Bem-te-vi é girassol42.",
        "girassol42",
        ["Qual a senha da rede na padaria Bem-te-vi?", "Preciso da senha da rede da padaria Bem-te-vi."],
    ),
    (
        "Quanto custa o bolo de fubá da dona Zuleica?",
        "O bolo de fubá da dona Zuleica custa 18 reais.",
        "18 reais",
        ["Qual é o preço do bolo de fubá da dona Zuleica?", "O bolo de fubá da dona Zuleica custa quanto?"],
    ),
    (
        "Onde fica a biblioteca de Pedra Alta?",
        "A biblioteca de Pedra Alta fica na praça do Coreto.",
        "praça do Coreto",
        ["Em que lugar fica a biblioteca de Pedra Alta?", "Você sabe onde é a biblioteca de Pedra Alta?"],
    ),
    (
        "Em que dia passa o caminhão do lixo na Vila Aurora?",
        "O caminhão do lixo passa na Vila Aurora às quintas-feiras.",
        "quintas",
        [
            "Que dia o caminhão do lixo passa na Vila Aurora?",
            "Quando passa o caminhão do lixo na Vila Aurora?",
        ],
    ),
    (
        "Qual é o nome do cachorro do porteiro?",
        "O cachorro do porteiro se chama Trovão.",
        "Trovão",
        ["Como se chama o cachorro do porteiro?", "Você sabe o nome do cachorro do porteiro?"],
    ),
    (
        "Quem inventou a máquina de bolhas Zefir?",
        "A máquina de bolhas Zefir foi inventada por Nadir Campos.",
        "Nadir Campos",
        ["A máquina de bolhas Zefir foi inventada por quem?", "Quem foi que inventou a máquina Zefir?"],
    ),
    (
        "Qual é o prazo de garantia do relógio Maré?",
        "O relógio Maré tem garantia de 26 meses.",
        "26 meses",
        ["Quanto tempo dura a garantia do relógio Maré?", "De quanto é a garantia do relógio Maré?"],
    ),
    (
        "Qual ônibus vai para o bairro Lagoa Seca?",
        "O ônibus 573 vai para o bairro Lagoa Seca.",
        "573",
        ["Que ônibus devo pegar para o bairro Lagoa Seca?", "Para ir ao bairro Lagoa Seca, qual é o ônibus?"],
    ),
]
EN = [
    (
        "When does the bakery on Maple Lane close?",
        "The bakery on Maple Lane closes at 6 pm.",
        "6 pm",
        ["What time does the bakery on Maple Lane close?", "At what hour does the Maple Lane bakery close?"],
    ),
    (
        "Who runs the Blue Heron library?",
        "The Blue Heron library is run by Agnes Whitlow.",
        "Agnes Whitlow",
        ["Who is in charge of the Blue Heron library?", "Tell me who runs the Blue Heron library."],
    ),
    (
        "What is the door code of the garden shed?",
        "The door code of the garden shed is 4817.",
        "4817",
        ["What's the code for the garden shed door?", "I need the door code of the garden shed."],
    ),
    (
        "How much is a ticket for the Quill Museum?",
        "A ticket for the Quill Museum costs 9 dollars.",
        "9 dollars",
        ["What does a ticket for the Quill Museum cost?", "What is the price of a Quill Museum ticket?"],
    ),
    (
        "Where is the spare key of the boat Marigold?",
        "The spare key of the boat Marigold is under the red bucket.",
        "red bucket",
        [
            "Where can I find the spare key of the boat Marigold?",
            "Where do you keep the Marigold's spare key?",
        ],
    ),
    (
        "Which colour is the uniform of the Corvin school?",
        "The uniform of the Corvin school is dark green.",
        "dark green",
        [
            "What colour is the Corvin school uniform?",
            "What is the colour of the uniform at the Corvin school?",
        ],
    ),
    (
        "Who founded the company Brightwell Kites?",
        "Brightwell Kites was founded by Tobias Ferren.",
        "Tobias Ferren",
        ["Who is the founder of Brightwell Kites?", "Brightwell Kites was founded by whom?"],
    ),
    (
        "On which day does the choir of Elmstead meet?",
        "The choir of Elmstead meets on Wednesdays.",
        "Wednesday",
        ["When does the choir of Elmstead meet?", "What day does the Elmstead choir meet?"],
    ),
    (
        "What is the name of the ship's cat?",
        "The ship's cat is called Biscuit.",
        "Biscuit",
        ["What is the ship's cat called?", "Do you know the name of the ship's cat?"],
    ),
    (
        "How long is the warranty of the Norvik heater?",
        "The Norvik heater has a warranty of 31 months.",
        "31 months",
        ["For how long is the Norvik heater under warranty?", "What warranty does the Norvik heater have?"],
    ),
]
FACTS = PT + EN


class AdaptedSpeaker(chat_score.Speaker):
    """The suite's speaker with an adapter on the model."""

    adapter: Path

    def __init__(self, path: Path):
        super().__init__(path)
        loaded = api.llama_adapter_lora_init(self._llama.model, str(self.adapter).encode())
        adapters = (api.llama_adapter_lora_p_ctypes * 1)(loaded)
        api.llama_set_adapters_lora(self._llama.ctx, adapters, 1, (ctypes.c_float * 1)(1.0))


def right(client: TestClient, model: str, *, other: bool) -> tuple[int, int]:
    """Return how many answers hold what they must, and how many were asked for."""
    cases = [(q, key) for asked, _, key, others in FACTS for q in (others if other else [asked])]
    good = 0
    for question, key in cases:
        body = {"model": model, "temperature": 0, "max_tokens": 60}
        turns = [{"role": "user", "content": question}]
        answer = client.post("/v1/chat/completions", json={**body, "messages": turns}).json()
        good += key.lower() in answer["choices"][0]["message"]["content"].lower()
    return good, len(cases)


def ended(client: TestClient, model: str) -> int:
    """Return how many answers, drawn as they are by default, end where the taught ones do, or nearly."""
    good = 0
    for seed, (question, taught, _, _) in enumerate(FACTS):
        turns = [{"role": "user", "content": question}]
        body = {"model": model, "max_tokens": 60, "seed": seed, "messages": turns}
        choice = client.post("/v1/chat/completions", json=body).json()["choices"][0]
        good += choice["finish_reason"] == "stop" and len(choice["message"]["content"]) < 1.5 * len(taught)
    return good


def test_twenty_facts_are_learned_and_the_suite_falls_by_at_most_five(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        data_dir=tmp_path, auth="off", allowed_hosts=("testserver",), vision_url="", rag_url=""
    )
    with TestClient(create_app(settings)) as client:
        text = "\n".join(f"P: {asked}\nR: {answer}" for asked, answer, _, _ in FACTS)
        made = client.post("/train", json={"training_data": text}).json()
        job = f"/v1/fine_tuning/jobs/{made['job_id']}"
        deadline = time.monotonic() + 2000
        while client.get(job).json()["status"] in ("queued", "running"):
            assert time.monotonic() < deadline, client.get(job).json()["progress"]
            time.sleep(1)
        assert client.get(job).json()["status"] == "succeeded", client.get(job).json()
        for other in (False, True):
            good, asked = right(client, "oficina-chat", other=other)
            assert good <= 0.2 * asked
            good, asked = right(client, made["model"], other=other)
            print(f"{'other' if other else 'trained'} wordings: {good} of {asked}")
            assert good >= 0.8 * asked
        assert ended(client, made["model"]) >= 0.9 * len(FACTS)
    base = chat_score.run(BASE).summary()["right"]
    AdaptedSpeaker.adapter = tmp_path / "training" / made["job_id"] / "adapter.gguf"
    monkeypatch.setattr(chat_score, "Speaker", AdaptedSpeaker)
    adapted = chat_score.run(BASE).summary()["right"]
    print(f"suite: {base} before, {adapted} after")
    assert adapted >= base - MOST_LOST
