"""Trainings from a caller's view: `/train`, the official client's fine-tuning calls, and the models that come of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest
from fastapi.testclient import TestClient
from openai import OpenAI

from servicekit.auth import Identity
from svc_chat.app import create_app
from svc_chat.engine.tuning.fake import FakeTrainer
from svc_chat.settings import Settings

LINES = b'{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}\n' * 3
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ANA, BEN = {"Authorization": "Bearer ana"}, {"Authorization": "Bearer ben"}


class TwoPeople:
    """Every bearer is a person."""

    def authenticate(self, bearer: str | None, signed: object = None) -> Identity:
        return Identity(bearer or "nobody", bearer or "nobody", "member", frozenset({"*"}))

    async def authenticate_async(self, bearer: str | None, signed: object = None) -> Identity:
        return self.authenticate(bearer)


@dataclass
class House:
    """A service with a tiny real model and a trainer without weights."""

    client: TestClient
    trainer: FakeTrainer
    openai: OpenAI

    def file(self, content: bytes = LINES, purpose: str = "fine-tune") -> str:
        return self.openai.files.create(file=("x.jsonl", content), purpose=purpose).id  # type: ignore[arg-type]

    def hold(self, step: int) -> None:
        self.trainer.hold_at = step
        self.client.portal.call(self.trainer.go.clear)  # type: ignore[union-attr]

    def go(self) -> None:
        self.client.portal.call(self.trainer.go.set)  # type: ignore[union-attr]


@pytest.fixture
def house(
    tmp_path: Path, write_model: Callable[..., Path], write_adapter: Callable[..., Path]
) -> Iterator[Callable[..., House]]:
    """Return a function that opens a service on the same data folder again and again."""
    model = write_model(tmp_path / "tiny.gguf", template=CHATML)
    adapter = write_adapter(tmp_path / "ready.gguf")
    opened: list[TestClient] = []

    def make(deaths: tuple[int, ...] = (), lacks: tuple[str, ...] = (), **changes: object) -> House:
        settings = Settings(
            **{"data_dir": tmp_path / "data", "model_path": model, "allowed_hosts": ("testserver",),
               "vision_url": "", "rag_url": "", **changes}  # type: ignore[arg-type]
        )  # fmt: skip
        trainer = FakeTrainer(adapter, deaths, lacks)
        app = create_app(settings, authenticator=TwoPeople(), trainer=trainer)  # type: ignore[arg-type]
        client = TestClient(app, headers=ANA)
        client.__enter__()
        opened.append(client)
        return House(client, trainer, OpenAI(base_url="http://testserver/v1", api_key="ana", http_client=client,
                                             max_retries=0))  # fmt: skip

    yield make
    for client in opened:
        client.__exit__(None, None, None)


def ended(house: House, job_id: str, until: Callable[..., None], status: str = "succeeded") -> None:
    until(lambda: house.openai.fine_tuning.jobs.retrieve(job_id).status == status, 120)


def test_train_answers_as_the_document_says_and_a_model_comes_of_it(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    here = house()
    answer = here.client.post("/train", json={"training_data": "P: Quem?\nR: Ana."}).json()
    assert answer["message"] == "Dados de treinamento adicionados com sucesso!"
    ended(here, answer["job_id"], until)
    assert here.client.post("/train", json={"training_data": ""}).status_code == 400
    assert here.client.post("/train", json={}).status_code == 400
    listed = {model.id for model in here.openai.models.list()}
    assert answer["model"] in listed
    said = here.openai.chat.completions.create(
        model=answer["model"], messages=[{"role": "user", "content": "hi"}], max_tokens=3
    )
    assert said.model == answer["model"]


def test_the_official_client_creates_lists_follows_and_finds_checkpoints(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    here = house()
    jobs = here.openai.fine_tuning.jobs
    job = jobs.create(
        model="tiny", training_file=here.file(), suffix="casa", seed=7, metadata={"a": "b"},
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 1}}},
    )  # fmt: skip
    assert (job.status, job.model, job.seed, job.metadata) == ("queued", "tiny", 7, {"a": "b"})
    ended(here, job.id, until)
    done = jobs.retrieve(job.id)
    assert done.fine_tuned_model is not None and done.fine_tuned_model.startswith("ft:tiny:casa:")
    assert done.hyperparameters.n_epochs == 2 and done.trained_tokens == 60
    assert [found.id for found in jobs.list()] == [job.id]
    events = list(jobs.list_events(job.id, limit=2))
    assert events[0].message.startswith("New fine-tuned model created")
    assert [int(event.id) for event in events] == list(range(len(events), 0, -1))
    (checkpoint,) = jobs.checkpoints.list(job.id)
    assert checkpoint.step_number == 6
    assert checkpoint.fine_tuned_model_checkpoint == f"{done.fine_tuned_model}:ckpt-step-6"


def test_a_job_tells_how_many_examples_it_has_and_what_was_measured_on_which(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    here = house()
    order = {"model": "tiny", "training_file": here.file(), "validation_file": here.file(LINES[:90])}
    job = here.client.post("/v1/fine_tuning/jobs", json=order).json()
    assert (job["counts"], job["measured"]) == ({"examples": 3, "held_out": 1}, None)
    ended(here, job["id"], until)
    done = here.client.get(f"/v1/fine_tuning/jobs/{job['id']}").json()
    found = {"base_valid_loss": 2.0, "valid_loss": 0.1, "drift": 0.0, "seconds": 0.1}
    assert done["measured"] == {**found, "best_step": done["progress"]["step"]}
    events = here.openai.fine_tuning.jobs.list_events(job["id"])
    looks = [event.data for event in events if "validation loss" in event.message]
    assert looks[-1]["step"] == 0, "the base is looked at before the first step"  # type: ignore[index]


def test_events_can_be_followed_and_taken_up_again(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    here = house()
    job = here.openai.fine_tuning.jobs.create(model="tiny", training_file=here.file())
    ended(here, job.id, until)
    whole = here.client.get(f"/v1/fine_tuning/jobs/{job.id}/events?stream=true").text
    numbers = [int(line[4:]) for line in whole.splitlines() if line.startswith("id: ")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert whole.rstrip().endswith("data: [DONE]")
    rest = here.client.get(
        f"/v1/fine_tuning/jobs/{job.id}/events?stream=true", headers={"Last-Event-ID": str(numbers[-2])}
    ).text
    assert [line for line in rest.splitlines() if line.startswith("id: ")] == [f"id: {numbers[-1]}"]


def test_a_service_that_stops_lets_those_go_who_follow_and_says_that_there_is_more(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    here = house()
    here.hold(2)
    job = here.openai.fine_tuning.jobs.create(model="tiny", training_file=here.file())
    until(lambda: here.trainer.trained)
    told: list[str] = []
    path = f"/v1/fine_tuning/jobs/{job.id}/events?stream=true"
    following = threading.Thread(target=lambda: told.append(here.client.get(path).text))
    following.start()
    here.client.portal.call(here.client.app.state.readiness.drain, 600.0)  # type: ignore[union-attr,attr-defined]
    following.join(60)
    assert told and "Training started" in told[0]
    assert "[DONE]" not in told[0]
    here.go()


def test_what_one_person_trained_is_not_there_for_another(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    here = house()
    job = here.openai.fine_tuning.jobs.create(model="tiny", training_file=here.file())
    ended(here, job.id, until)
    model = here.openai.fine_tuning.jobs.retrieve(job.id).fine_tuned_model
    listed = here.client.get("/v1/models", headers=BEN).json()["data"]
    assert [entry["id"] for entry in listed if entry["id"].startswith("ft:")] == []
    chat = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    for answer in (
        here.client.get(f"/v1/fine_tuning/jobs/{job.id}", headers=BEN),
        here.client.get(f"/v1/fine_tuning/jobs/{job.id}/events", headers=BEN),
        here.client.post(f"/v1/fine_tuning/jobs/{job.id}/cancel", headers=BEN),
        here.client.get(f"/v1/models/{model}", headers=BEN),
        here.client.delete(f"/v1/models/{model}", headers=BEN),
        here.client.post("/v1/chat/completions", json=chat, headers=BEN),
    ):
        assert answer.status_code == 404, answer.text
    assert here.client.get("/v1/fine_tuning/jobs", headers=BEN).json()["data"] == []


def test_a_deleted_model_is_gone_with_its_checkpoints_and_files(
    house: Callable[..., House], until: Callable[..., None], tmp_path: Path
) -> None:
    here = house()
    job = here.openai.fine_tuning.jobs.create(model="tiny", training_file=here.file())
    ended(here, job.id, until)
    model = here.openai.fine_tuning.jobs.retrieve(job.id).fine_tuned_model or ""
    assert here.openai.models.delete(model).deleted
    until(lambda: not any(m.id.startswith("ft:") for m in here.openai.models.list()))
    assert list((tmp_path / "data" / "training" / job.id).glob("*.gguf")) == []
    with pytest.raises(openai.NotFoundError):
        here.openai.models.delete(model)


def test_a_paused_training_goes_on_where_it_was(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    here = house()
    here.hold(4)
    jobs = here.openai.fine_tuning.jobs
    job = jobs.create(model="tiny", training_file=here.file())
    until(lambda: len(here.trainer.trained) == 3)
    assert jobs.pause(job.id).status == "paused"
    until(lambda: here.client.portal.call(_alone) or True)
    here.go()
    assert jobs.resume(job.id).status == "queued"
    ended(here, job.id, until)
    steps = [step for _, step in here.trainer.trained]
    assert steps == list(range(1, len(steps) + 1))
    with pytest.raises(openai.ConflictError, match="succeeded"):
        jobs.pause(job.id)


async def _alone() -> None:
    await asyncio.sleep(0)


def test_a_cancelled_training_ends_at_once_and_leaves_nothing(
    house: Callable[..., House], until: Callable[..., None], tmp_path: Path
) -> None:
    here = house()
    here.hold(2)
    jobs = here.openai.fine_tuning.jobs
    first = jobs.create(model="tiny", training_file=here.file())
    second = jobs.create(model="tiny", training_file=here.file())
    until(lambda: here.trainer.trained)
    assert jobs.cancel(first.id).status == "cancelled"
    here.go()
    ended(here, second.id, until)
    assert not (tmp_path / "data" / "training" / first.id).exists()
    assert all(job == second.id for job, step in here.trainer.trained if step > 1)


def test_one_trains_at_a_time_and_more_than_may_wait_are_refused(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    here = house(trainings_waiting=1)
    here.hold(2)
    jobs = here.openai.fine_tuning.jobs
    jobs.create(model="tiny", training_file=here.file())
    until(lambda: here.trainer.trained)
    jobs.create(model="tiny", training_file=here.file())
    with pytest.raises(openai.RateLimitError, match="1 trainings wait and 1 may") as caught:
        jobs.create(model="tiny", training_file=here.file())
    assert caught.value.response.headers["retry-after"] == "30"
    assert len(here.trainer.started) == 1


def test_texts_given_while_a_training_waits_join_it(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    here = house()
    here.hold(2)
    here.openai.fine_tuning.jobs.create(model="tiny", training_file=here.file())
    until(lambda: here.trainer.trained)
    first = here.client.post("/train", json={"training_data": "P: a\nR: b"}).json()
    second = here.client.post("/train", json={"training_data": "O dono é Valdomiro."}).json()
    assert (first["job_id"], second["examples"]) == (second["job_id"], 2)
    texts = here.client.get("/train").json()["data"]
    assert [text["text"] for text in texts] == ["P: a\nR: b", "O dono é Valdomiro."]
    assert here.client.delete(f"/train/{texts[0]['id']}").json()["deleted"]
    assert here.client.delete(f"/train/{texts[0]['id']}").status_code == 404
    here.go()
    ended(here, second["job_id"], until)


def test_a_child_that_dies_is_followed_by_one_that_goes_on(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    here = house(deaths=(3, 7, 12))
    job = here.openai.fine_tuning.jobs.create(model="tiny", training_file=here.file())
    ended(here, job.id, until)
    assert len(here.trainer.started) == 4
    told = [e.data["step"] for e in here.openai.fine_tuning.jobs.list_events(job.id) if e.data]  # type: ignore[index]
    assert len([m for m in here.openai.models.list() if m.id.startswith("ft:")]) == 2
    assert told == sorted(told, reverse=True)


def test_a_child_that_always_dies_is_given_up(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    here = house(deaths=(1,) * 9)
    job = here.openai.fine_tuning.jobs.create(model="tiny", training_file=here.file())
    ended(here, job.id, until, "failed")
    failed = here.openai.fine_tuning.jobs.retrieve(job.id)
    assert failed.error is not None and failed.error.code == "training_process_died"
    assert len(here.trainer.started) == 5


def test_a_restart_goes_on_with_what_ran_and_what_waited(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    before = house()
    before.hold(8)
    jobs = before.openai.fine_tuning.jobs
    first = jobs.create(model="tiny", training_file=before.file())
    second = jobs.create(model="tiny", training_file=before.file())
    until(lambda: len(before.trainer.trained) == 7)
    before.client.__exit__(None, None, None)
    after = house()
    for job in (first, second):
        ended(after, job.id, until)
    assert after.trainer.started == [first.id, second.id]
    assert after.trainer.trained[0] == (first.id, 8)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"model": "none"}, 404, "none"),
        ({"training_file": "file-0"}, 404, "file-0"),
        ({"hyperparameters": {"n_epochs": 0}}, 400, "n_epochs"),
        ({"method": {"type": "dpo"}}, 400, "supervised"),
        ({"suffix": "a:b"}, 400, "suffix"),
        ({"integrations": [{"type": "wandb"}]}, 400, "integrations"),
    ],
)
def test_a_wrong_order_is_refused_with_its_reason(
    house: Callable[..., House], body: dict[str, object], status: int, said: str
) -> None:
    here = house()
    whole = {"model": "tiny", "training_file": here.file(), **body}
    answer = here.client.post("/v1/fine_tuning/jobs", json=whole)
    assert answer.status_code == status, answer.text
    assert said in answer.text


def test_a_file_for_something_else_or_with_a_wrong_line_is_refused(house: Callable[..., House]) -> None:
    here = house()
    jobs = here.openai.fine_tuning.jobs
    with pytest.raises(openai.BadRequestError, match="purpose 'assistants'"):
        jobs.create(model="tiny", training_file=here.file(purpose="assistants"))
    with pytest.raises(openai.BadRequestError, match="Line 4 of the training data is not JSON"):
        jobs.create(model="tiny", training_file=here.file(LINES + b"oops"))
    with pytest.raises(openai.BadRequestError, match="no text in UTF-8"):
        jobs.create(model="tiny", training_file=here.file(b"\xff\xfe"))


def test_a_model_that_cannot_be_trained_is_refused_and_nothing_is_kept(
    tmp_path: Path, house: Callable[..., House], write_model: Callable[..., Path]
) -> None:
    from svc_chat.engine.tuning import planner

    here = house()
    original = planner.TRAINABLE
    planner.TRAINABLE = ("qwen2",)  # type: ignore[assignment]
    try:
        answer = here.client.post("/train", json={"training_data": "P: a\nR: b"})
    finally:
        planner.TRAINABLE = original  # type: ignore[assignment]
    assert answer.status_code == 400
    assert "'llama'" in answer.json()["error"]["message"] and "qwen2" in answer.json()["error"]["message"]
    assert here.client.get("/train").json()["data"] == []


def test_an_installation_without_the_libraries_says_so(house: Callable[..., House]) -> None:
    here = house(lacks=("torch", "peft"))
    answer = here.client.post("/train", json={"training_data": "P: a\nR: b"})
    assert answer.status_code == 503
    assert "torch, peft" in answer.json()["error"]["message"]


def test_two_services_on_one_folder_do_not_both_train(
    house: Callable[..., House], until: Callable[..., None]
) -> None:
    first, second = house(), house()
    job = second.openai.fine_tuning.jobs.create(model="tiny", training_file=second.file())
    threading.Event().wait(0.2)
    assert second.trainer.started == []
    until(lambda: first.openai.fine_tuning.jobs.retrieve(job.id).status == "succeeded", 120)
    assert second.trainer.started == [] and first.trainer.started == [job.id]
