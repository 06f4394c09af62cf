"""Every call of the documents, through the gateway and on the service's own port."""

from __future__ import annotations

import base64
import io
import json
import re
import uuid

import httpx
import numpy as np
import pytest
from openai import NotFoundError, OpenAI
from PIL import Image
from scipy.io import wavfile

from tests.conftest import Stack
from tests.e2e.conftest import finished_job, open_client, picture, until

pytestmark = pytest.mark.e2e
PROMPT = "um círculo vermelho grande sobre um fundo azul"


def test_chat_answers_a_programmed_bot(stack: Stack, way: str) -> None:
    with open_client(stack, way, "svc-chat") as client:
        body = {"system_prompt": "Você é o assistente da Oficina.", "user_input": "Olá!"}
        answer = client.post("/chat", json=body)
    assert answer.status_code == 200
    assert answer.json().keys() == {"response"}
    assert answer.json()["response"].strip()


def test_chat_answers_the_persona_page_in_plain_text(stack: Stack, way: str) -> None:
    with open_client(stack, way, "svc-chat") as client:
        answer = client.post("/chat", json={"msg": "Olá!"})
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.strip()


def test_api_chat_streams_json_lines(stack: Stack, way: str) -> None:
    body = {"message": "Hello!"}
    with (
        open_client(stack, way, "svc-chat") as client,
        client.stream("POST", "/api/chat", json=body) as answer,
    ):
        lines = [json.loads(line) for line in answer.iter_lines() if line]
    assert all({"response", "done"} <= line.keys() for line in lines)
    assert lines[-1]["done"] is True
    assert "".join(line["response"] for line in lines).strip()


def test_the_official_client_chats_with_names_of_the_documents(stack: Stack, way: str) -> None:
    base = stack.url if way == "gateway" else stack.urls["svc-chat"]
    official = OpenAI(base_url=f"{base}/v1", api_key=stack.api_key)
    for model in ("gpt-4-1106-preview", "phi3:mini"):
        answer = official.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Hello!"}], max_tokens=30
        )
        assert answer.model != model
        assert answer.choices[0].message.content
    stream = official.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "Olá!"}], max_tokens=30, stream=True
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_a_tool_is_called_and_its_arguments_are_streamed(stack: Stack, way: str) -> None:
    base = stack.url if way == "gateway" else stack.urls["svc-chat"]
    official = OpenAI(base_url=f"{base}/v1", api_key=stack.api_key)
    city = {"type": "string", "enum": ["Recife", "Natal"]}
    parameters = {"type": "object", "properties": {"city": city}, "required": ["city"]}
    tool = {"type": "function", "function": {"name": "weather", "parameters": parameters}}
    with official.chat.completions.stream(
        model="gpt-4o",
        messages=[{"role": "user", "content": "Como está o tempo?"}],
        tools=[tool],  # type: ignore[list-item]
        tool_choice={"type": "function", "function": {"name": "weather"}},
        max_tokens=100,
    ) as stream:
        kinds = [event.type for event in stream]
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert "tool_calls.function.arguments.delta" in kinds
    assert calls is not None
    assert json.loads(calls[0].function.arguments)["city"] in ("Recife", "Natal")


def test_a_picture_in_a_chat_is_described_to_a_model_that_cannot_see(stack: Stack, way: str) -> None:
    url = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    parts = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": url}}]
    body = {"messages": [{"role": "user", "content": parts}], "max_tokens": 20}
    with open_client(stack, way, "svc-chat") as client:
        answer = client.post("/v1/chat/completions", json=body).json()
    assert answer["image_descriptions"][0]["text"].strip()
    assert answer["image_descriptions"][0]["model"]


def test_an_answer_is_kept_followed_and_deleted(stack: Stack, way: str) -> None:
    base = stack.url if way == "gateway" else stack.urls["svc-chat"]
    official = OpenAI(base_url=f"{base}/v1", api_key=stack.api_key)
    conversation = official.conversations.create(metadata={"topic": "e2e"})
    events = list(
        official.responses.create(
            model="gpt-4o", input="Hello!", max_output_tokens=30, stream=True, conversation=conversation.id
        )
    )
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type in ("response.completed", "response.incomplete")
    answer = events[-1].response
    assert answer.output_text
    again = official.responses.retrieve(answer.id, stream=True, starting_after=2)
    assert [event.to_dict() for event in again] == [event.to_dict() for event in events[3:]]
    roles = [item.role for item in official.conversations.items.list(conversation.id, order="asc")]
    assert roles == ["user", "assistant"]
    official.conversations.delete(conversation.id)
    with pytest.raises(NotFoundError):
        official.responses.retrieve(answer.id)


def test_an_answer_is_written_in_the_background_and_can_be_ended(stack: Stack, way: str) -> None:
    base = stack.url if way == "gateway" else stack.urls["svc-chat"]
    official = OpenAI(base_url=f"{base}/v1", api_key=stack.api_key)
    made = official.responses.create(model="gpt-4o", input="Olá!", max_output_tokens=30, background=True)
    assert made.status == "queued"
    until(lambda: official.responses.retrieve(made.id).status in ("completed", "incomplete"), 60)
    ended = official.responses.cancel(made.id)
    assert ended.status in ("completed", "incomplete")
    assert ended.output_text


def test_training_data_is_added(stack: Stack, way: str) -> None:
    with open_client(stack, way, "svc-chat") as client:
        answer = client.post("/train", json={"training_data": "A Oficina abre às nove."})
    assert answer.status_code == 200, answer.text
    assert answer.json()["message"] == "Dados de treinamento adicionados com sucesso!"


def test_an_uploaded_image_is_analysed(stack: Stack, way: str) -> None:
    content = picture()
    mean = float(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).mean())
    with open_client(stack, way, "svc-vision") as client:
        body = client.post("/upload_image", files={"image": ("../../x.png", content, "image/png")}).json()
    assert body["message"] == "Imagem recebida com sucesso!"
    assert body["analysis"] == f"A média dos valores dos pixels da imagem é: {mean:.2f}"


@pytest.mark.parametrize("call", ["captions", "detections", "classifications", "analysis"])
def test_a_picture_is_seen(stack: Stack, way: str, call: str) -> None:
    with open_client(stack, way, "svc-vision") as client:
        files = {"image": ("scene.png", picture(), "image/png")}
        body = client.post(f"/v1/vision/{call}", files=files).json()
    assert "timing" in body
    if call == "captions":
        assert "circle" in body["text"]
    elif call == "detections":
        assert (body["width"], body["height"]) == (128, 128)
        assert all(0 <= edge <= 128 for item in body["detections"] for edge in item["box"])


@pytest.mark.parametrize("call", ["questions", "texts"])
def test_what_no_built_in_model_does_names_one_to_install(stack: Stack, way: str, call: str) -> None:
    with open_client(stack, way, "svc-vision") as client:
        files = {"image": ("scene.png", picture(), "image/png")}
        answer = client.post(f"/v1/vision/{call}", files=files, data={"question": "What is this?"})
        offered = {entry["id"] for entry in client.get("/v1/catalogue").json()["data"]}
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "no_model"
    told = answer.json()["error"]["message"]
    assert "POST /v1/models/install" in told
    assert re.findall(r"Install '([^']+)'", told)[0] in offered


def test_an_image_is_generated_the_documents_way(stack: Stack, way: str) -> None:
    with open_client(stack, way, "svc-image-gen") as client:
        body = {"prompt": PROMPT, "width": 128, "height": 128, "num_inference_steps": 8}
        made = client.post("/api/generate-image", json=body).json()
        assert made["metadata"]["prompt"] == PROMPT
        assert made["metadata"]["parameters"]
        shown = client.get(made["image_url"])
    assert Image.open(io.BytesIO(shown.content)).size == (128, 128)


def test_an_image_job_tells_its_steps(stack: Stack, way: str) -> None:
    with open_client(stack, way, "svc-image-gen") as client:
        body = {"prompt": PROMPT, "size": "128x128", "steps": 10}
        accepted = client.post("/v1/images/generations", json=body, headers={"Prefer": "respond-async"})
        assert accepted.status_code == 202
        job_id = accepted.json()["id"]
        with client.stream("GET", f"/v1/jobs/{job_id}/events") as answer:
            events = [json.loads(line[5:]) for line in answer.iter_lines() if line.startswith("data:")]
        job = finished_job(client, job_id)
        picture_there = client.get(job["result"]["pictures"][0]["url"])
    assert job["status"] == "completed"
    assert picture_there.status_code == 200
    steps = [e["step"] for e in events if e.get("step") is not None]
    assert steps == sorted(steps)
    assert events[-1]["status"] == "completed"


def test_a_picture_is_drawn_on_from(stack: Stack, way: str) -> None:
    with open_client(stack, way, "svc-image-gen") as client:
        files = {"image": ("scene.png", picture(), "image/png")}
        asked = {"prompt": "um quadrado verde grande sobre um fundo azul"}
        edited = client.post("/v1/images/edits", data=asked, files=files).json()
        varied = client.post("/v1/images/variations", files=files).json()
        for answer in (edited, varied):
            found = client.get(answer["data"][0]["url"])
            assert found.headers["content-type"] == "image/png"


def test_a_caption_is_translated(stack: Stack, way: str) -> None:
    with open_client(stack, way, "svc-translate") as client:
        body = {"text": "a large red circle on a blue background", "target": "pt"}
        found = client.post("/v1/translations", json=body).json()["translations"][0]
        plain = {"q": "um quadrado azul", "source": "pt", "target": "en"}
        libre = client.post("/translate", json=plain).json()
        detected = client.post("/detect", json={"q": "um quadrado azul"}).json()
        languages = client.get("/languages").json()
    assert found["source"] == "en"
    assert "círculo" in found["text"] and "vermelho" in found["text"]
    assert "square" in libre["translatedText"].lower()
    assert detected[0]["language"] == "pt"
    assert {"en", "pt"} <= {row["code"] for row in languages}


def test_a_text_becomes_audio_with_a_uuid_name(stack: Stack, way: str) -> None:
    with open_client(stack, way, "svc-tts") as client:
        made = client.post("/text-to-audio", json={"text": PROMPT}).json()
        sound = client.get(made["url"])
    name = made["url"].rsplit("/", 1)[-1].removesuffix(".wav")
    assert uuid.UUID(name)
    rate, samples = wavfile.read(io.BytesIO(sound.content))
    assert len(samples) / rate == pytest.approx(made["duration_s"], abs=0.05)


def test_speech_is_spoken_for_the_official_client(stack: Stack, way: str) -> None:
    base = stack.url if way == "gateway" else stack.urls["svc-tts"]
    official = OpenAI(base_url=f"{base}/v1", api_key=stack.api_key)
    answer = official.audio.speech.create(
        model="tts-1", voice="alloy", input="Bom dia!", response_format="wav"
    )
    assert answer.content[:4] == b"RIFF"


def test_a_question_is_answered_from_a_document_with_citations(stack: Stack, way: str) -> None:
    name = "Q" + uuid.uuid4().hex[:8].upper()
    text = f"The lathe {name} is serviced every ninth of March.\n\nThe workshop opens at nine.\n"
    with open_client(stack, way, "svc-rag") as client:
        sent = client.post("/v1/documents", files={"file": (f"{name}.txt", text.encode(), "text/plain")})
        assert sent.status_code == 202
        assert finished_job(client, sent.json()["id"])["status"] == "completed"
        own = sent.json()["document_id"]
        question = {"question": f"When is the lathe {name} serviced?", "filter": {"document_ids": [own]}}
        body = client.post("/ask/question", json=question).json()
        cited = body["citations"][0]
        whole = client.get(f"/v1/documents/{own}/text").json()["text"]
        hits = client.post("/v1/search", json={"query": name, "top_k": 3}).json()["hits"]
        gone = client.delete(f"/v1/documents/{own}")
        after = client.post("/v1/search", json={"query": name, "top_k": 3}).json()["hits"]
    assert body["found"] is True
    assert whole[cited["start"] : cited["end"]] == cited["quote"]
    assert "March" in cited["quote"]
    assert name in hits[0]["text"]
    assert gone.status_code in (200, 204)
    assert all(name not in hit["text"] for hit in after)


def test_new_data_reaches_the_index(stack: Stack, way: str) -> None:
    with open_client(stack, way, "svc-rag") as client:
        answer = client.post("/training/train", json={"training_data": "The blue drill lives in drawer 42."})
        assert answer.status_code in (200, 202)
        assert answer.json()["message"] == "Dados de treinamento adicionados com sucesso!"


def test_embeddings_and_reranking(stack: Stack, way: str) -> None:
    base = stack.url if way == "gateway" else stack.urls["svc-rag"]
    official = OpenAI(base_url=f"{base}/v1", api_key=stack.api_key)
    rows = official.embeddings.create(model="text-embedding-3-small", input=["cat", "kitten", "invoice"]).data
    cat, kitten, invoice = (np.array(row.embedding) for row in rows)
    assert cat @ kitten > cat @ invoice
    with open_client(stack, way, "svc-rag") as client:
        body = {"query": "a young cat", "documents": ["an invoice", "a kitten"]}
        best = client.post("/v1/rerank", json=body).json()["results"][0]
    assert best["index"] == 1


def test_status_health_and_models_tell_of_everything(gateway: httpx.Client) -> None:
    status = gateway.get("/api/status").json()
    assert {"ollama_status", "stable_diffusion_status", "system_info", "services"} <= status.keys()
    assert {"cpu_usage", "memory_usage", "gpu_usage"} <= status["system_info"].keys()
    assert all(row["status"] in ("ready", "slow") for row in status["services"].values()), status["services"]
    health = gateway.get("/api/health").json()
    assert health["status"] == "healthy"
    assert {"timestamp", "version"} <= health.keys()
    tasks = {row["task"] for row in gateway.get("/v1/models").json()["data"]}
    assert {"chat", "image", "caption", "detection", "translation", "speech", "embedding"} <= tasks
    assert gateway.get("/api/models").status_code == gateway.get("/api/models/detailed").status_code == 200
    assert gateway.get("/v1/catalogue").json()["data"]
    until(lambda: "/v1/chat/completions" in gateway.get("/openapi.json").json()["paths"], 15)


def test_login_gives_a_token_that_every_port_takes(stack: Stack) -> None:
    body = {"username": stack.username, "password": stack.password}
    token = httpx.post(f"{stack.url}/auth/login", json=body, timeout=60).json()["access_token"]
    form = httpx.post(f"{stack.url}/auth/login", data=body, timeout=60).json()
    assert form["token_type"] == "bearer"
    for service in stack.urls:
        if service != "frontend":
            with stack.client(service, key=token) as client:
                assert client.get("/v1/models").status_code == 200, service


def test_a_picture_is_drawn_described_translated_and_spoken(stack: Stack, gateway: httpx.Client) -> None:
    drawn = gateway.post(
        "/v1/images/generations", json={"prompt": PROMPT, "size": "128x128", "seed": 7}
    ).json()
    body = {"image_url": drawn["data"][0]["url"], "target": "pt", "stream": False}
    told = gateway.post("/v1/pipelines/describe", json=body, timeout=120).json()
    assert "red circle" in told["caption"]["text"]
    assert "blue background" in told["caption"]["text"]
    assert re.search(r"círculo vermelho", told["translation"]["text"])
    assert gateway.get(told["speech"]["url"]).content[:4] == b"RIFF"


def test_the_description_comes_step_by_step(gateway: httpx.Client) -> None:
    files = {"image": ("scene.png", picture(), "image/png")}
    with gateway.stream("POST", "/v1/pipelines/describe", files=files, data={"target": "pt"}) as answer:
        text = answer.read().decode()
    steps = [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")]
    done = [s["step"] for s in steps if s.get("status") == "done"]
    assert done == ["caption", "translation", "speech"]


def test_the_page_is_served(stack: Stack) -> None:
    for base in (stack.url, stack.urls["frontend"]):
        page = httpx.get(f"{base}/", timeout=60)
        assert page.status_code == 200
        assert "<script" in page.text
    assert "default-src 'self'" in httpx.get(f"{stack.url}/", timeout=60).headers["content-security-policy"]
