"""A model is held against the machine, fetched whatever the line does, verified, and only then installed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from servicekit.errors import Conflict, Forbidden, ModelNotFound
from servicekit.health import Readiness
from servicekit.hub import Format, HubRepository, Installs, Needs, Planner, Shelf, ShelfModel, editions
from servicekit.hub.errors import (
    DoesNotFit,
    HashMismatch,
    HubUnreachable,
    RepositoryGated,
    RepositoryNotFound,
    UnsafeModel,
)
from servicekit.hub.fake_hub import FakeHub
from servicekit.jobs import Job, JobCancelled, JobContext, JobQueue
from servicekit.models import Catalogue, CatalogueEntry, InstalledModel, Machine, ServiceModels

WEIGHTS = os.urandom(1_500_000)
MINI = {
    "config.json": b'{"hidden_size": 8}',
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"x",
    "README.md": b"A model.",
}
ROOMY = Machine(memory_bytes=8 * 2**30, free_disk_bytes=10 * 2**30)
STRANGE = "strange"
"""It would fit, but nothing here runs it."""


def judge(entry: CatalogueEntry) -> str | None:
    return "is of no kind that runs here" if entry.id == STRANGE else None


@dataclass
class Service:
    """A service's side of installing: what came and went, and a machine that can be made small."""

    hub: FakeHub
    folder: Path
    machine: Machine = ROOMY
    arrived: list[ShelfModel] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    estimate: Callable[[Needs], int | None] = lambda needs: 2 * needs.weights_bytes

    def installs(self) -> Installs:
        entries = [
            CatalogueEntry("mini", "caption", repo="me/mini", license="MIT", parameters=10),
            CatalogueEntry(
                "tiny", "caption", repo="me/tiny", parameters=5, memory_bytes=1000, size_bytes=1000
            ),
            CatalogueEntry("huge", "caption", repo="me/huge", parameters=9**12, memory_bytes=2**50),
            CatalogueEntry(STRANGE, "caption", repo="me/strange", parameters=8),
            CatalogueEntry("own", "caption", builtin=True),
            CatalogueEntry("pinned", "caption", repo="me/pinned", revision="c0ffee"),
        ]
        repository = HubRepository(self.hub.url)
        planner = Planner(
            repository, Catalogue(tuple(entries), judge), Format.TRANSFORMERS, lambda needs: self.estimate(needs),
            lambda: self.machine, "caption",
        )  # fmt: skip
        return Installs(planner, repository, Shelf(self.folder), self.arrived.append, self.left.append)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with FakeHub({"me/mini": MINI, "me/pickled": {"config.json": b"{}", "pytorch_model.bin": b"x"}}) as hub:
        yield Service(hub, tmp_path / "models")


class Told:
    """Stands for a job's record: gathers progress, and cancels after `cancel_after` bytes."""

    def __init__(self, cancel_after: int | None = None):
        self.steps: list[tuple[int, int]] = []
        self._cancel_after = cancel_after

    def context(self) -> JobContext:
        told = self

        class Context(JobContext):
            def progress(
                self, step: int, total: int, message: str = "", preview_url: str | None = None
            ) -> None:
                told.steps.append((step, total))
                if told._cancel_after is not None and step >= told._cancel_after:
                    raise JobCancelled("j")

            def check_cancelled(self) -> None:
                return

        job = Job("j", "model.install", "ana", "running", {}, 0.0, 0.0)
        return Context(job, record=None, run_step=None, cancelled=None, stopping=None)  # type: ignore[arg-type]


def install(service: Service, model_id: str = "mini", told: Told | None = None) -> dict[str, Any]:
    installs = service.installs()
    return installs.run((told or Told()).context(), installs.plan(model_id).payload())


def test_a_catalogue_may_name_the_commit_to_take(service: Service) -> None:
    service.hub.repositories["me/pinned"] = dict(MINI)
    service.installs().plan("pinned")
    assert "/api/models/me/pinned/revision/c0ffee" in {asked.path for asked in service.hub.asked}
    service.installs().plan("pinned", "other")
    assert "/api/models/me/pinned/revision/other" in {asked.path for asked in service.hub.asked}


def test_a_model_arrives_whole_and_under_its_id(service: Service) -> None:
    told = Told()
    size = len(WEIGHTS) + len(MINI["config.json"]) + len(MINI["README.md"])
    assert install(service, told=told) == {"model": "mini", "size_bytes": size}
    (model,) = service.arrived
    assert (model.id, model.repo, model.license, model.task) == ("mini", "me/mini", "MIT", "caption")
    assert model.weights.read_bytes() == WEIGHTS
    assert sorted(p.name for p in model.path.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "oficina.json",
    ]
    assert told.steps[-1] == (size, size)
    assert [step for step, _ in told.steps] == sorted(step for step, _ in told.steps)
    assert [m.id for m in service.installs().shelf.models()] == ["mini"]


def test_no_byte_of_weights_is_asked_for_when_the_model_does_not_fit(service: Service) -> None:
    service.machine = Machine(memory_bytes=2_000_000, free_disk_bytes=2**40)
    plan = service.installs().plan("mini")
    assert (plan.fit, plan.nearest) == ("does_not_fit", "tiny")
    with pytest.raises(DoesNotFit, match=r"'mini' needs 0\.0 GiB of memory.*'tiny' would fit"):
        service.installs().begin("mini", None, "ana", "owner", None)  # type: ignore[arg-type]
    assert service.hub.fetched(".safetensors") == 0


def test_a_full_disk_is_told_before_anything_is_fetched(service: Service) -> None:
    service.machine = Machine(memory_bytes=2**40, free_disk_bytes=1_000_000)
    with pytest.raises(DoesNotFit, match="on disk"):
        service.installs().plan("mini").check()


def test_the_estimate_reads_configuration_and_stretches_of_weights_alone(service: Service) -> None:
    def estimate(needs: Needs) -> int:
        weights = needs.opened_weights()
        weights.seek(700_000)
        assert weights.read(16) == WEIGHTS[700_000:700_016]
        return needs.json("config.json")["hidden_size"] * 1000 + len(needs.json("none.json"))

    service.estimate = estimate
    assert service.installs().plan("mini").memory_bytes == 8000
    assert 0 < service.hub.fetched(".safetensors") < len(WEIGHTS)


def test_what_leaves_little_to_others_is_tight(service: Service) -> None:
    service.machine = Machine(memory_bytes=int(2 * len(WEIGHTS) / 0.9 / 0.8), free_disk_bytes=2**40)
    assert service.installs().plan("mini").fit == "tight"


@pytest.mark.parametrize("fault", ["cut", "refuse", "broken"])
def test_an_install_outlasts_a_bad_line(service: Service, fault: str) -> None:
    setattr(service.hub.faults, fault, 2)
    service.hub.faults.cut_after = 600_000
    install(service)
    assert service.arrived[0].weights.read_bytes() == WEIGHTS


def test_files_may_lie_at_another_address(service: Service) -> None:
    service.hub.faults.redirect = True
    install(service)
    assert service.arrived[0].weights.read_bytes() == WEIGHTS


def test_what_was_fetched_before_a_cancellation_is_not_fetched_again(service: Service) -> None:
    with pytest.raises(JobCancelled):
        install(service, told=Told(cancel_after=800_000))
    assert service.installs().shelf.models() == []
    service.hub.asked.clear()
    install(service)
    assert service.arrived[0].weights.read_bytes() == WEIGHTS
    assert service.hub.fetched(".safetensors") <= len(WEIGHTS) - 500_000


def test_a_disk_that_fills_while_it_is_fetched_is_not_taken_for_a_hub_that_is_away(service: Service) -> None:
    part = service.installs().shelf.parts("mini") / "model.safetensors.part"
    part.symlink_to("/dev/full")
    with pytest.raises(DoesNotFit, match="disk is full"):
        install(service)
    part.unlink()
    install(service)
    assert [model.id for model in service.arrived] == ["mini"]


def test_a_wrong_file_is_fetched_once_more_and_then_refused(service: Service) -> None:
    service.hub.faults.wrong = 1
    install(service)
    service.installs().remove("mini", "owner")
    service.hub.faults.wrong = 9
    with pytest.raises(HashMismatch):
        install(service)
    assert service.installs().shelf.models() == []


def test_a_file_that_is_listed_and_not_there_ends_the_install(service: Service) -> None:
    service.hub.faults.missing.add("model.safetensors")
    with pytest.raises(RepositoryNotFound):
        install(service)
    assert service.arrived == []


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("me/none", RepositoryNotFound),
        ("me/pickled", UnsafeModel),
        ("nothing", ModelNotFound),
        ("a/b/c", ModelNotFound),
        ("../../etc", ModelNotFound),
        ("own", ModelNotFound),
    ],
)
def test_what_cannot_be_installed_is_said_at_once(
    service: Service, asked: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        service.installs().plan(asked)


def test_a_gated_repository_says_what_to_do(service: Service) -> None:
    service.hub.faults.gated = True
    with pytest.raises(RepositoryGated, match="HF_TOKEN"):
        service.estimate = lambda needs: needs.json("config.json").get("x")
        service.installs().plan("mini")


def test_a_hub_that_is_away_is_said_to_be_away(service: Service) -> None:
    away = HubRepository("http://127.0.0.1:9")
    with pytest.raises(HubUnreachable):
        away.listing("me/mini", None)


def test_only_owners_install_and_remove(service: Service) -> None:
    with pytest.raises(Forbidden):
        service.installs().begin("mini", None, "bia", "member", None)  # type: ignore[arg-type]
    with pytest.raises(Forbidden):
        service.installs().remove("mini", "member")


def test_removing_frees_the_disk_and_what_is_in_use_stays(service: Service) -> None:
    install(service)
    installs = service.installs()

    def busy(_: str) -> None:
        raise Conflict("in use")

    with pytest.raises(Conflict):
        Installs(
            installs._planner, installs._repository, installs.shelf, service.arrived.append, busy
        ).remove("mini", "owner")
    assert installs.shelf.get("mini") is not None
    installs.remove("mini", "owner")
    assert service.left == ["mini"]
    assert sum(f.stat().st_size for f in service.folder.rglob("*") if f.is_file()) == 0
    with pytest.raises(ModelNotFound, match="was not installed here"):
        installs.remove("mini", "owner")


def test_a_model_that_a_service_cannot_take_is_not_installed(service: Service) -> None:
    def broken(_: ShelfModel) -> None:
        raise RuntimeError("a library's own failure")

    installs = service.installs()
    there = Installs(installs._planner, installs._repository, installs.shelf, broken, service.left.append)
    with pytest.raises(RuntimeError):
        there.run(Told().context(), there.plan("mini").payload())
    assert installs.shelf.models() == []


def test_a_newer_commit_takes_the_place_of_the_older(service: Service) -> None:
    install(service)
    service.hub.repositories["me/mini"]["model.safetensors"] = newer = os.urandom(90_000)
    install(service)
    (model,) = service.installs().shelf.models()
    assert model.weights.read_bytes() == newer
    assert service.left == ["mini"]


def test_results_are_kept_by_the_commit_that_is_installed_also_after_a_restart(service: Service) -> None:
    def told(installs: Installs) -> str:
        readiness = Readiness("svc-x")
        known = ServiceModels(
            "svc-x", [InstalledModel(model.id, "caption") for model in service.arrived[-1:]]
        )
        readiness.watch_models(editions(known, installs))
        return str(readiness.report()["models"])

    def put(installs: Installs, weights: bytes) -> str:
        service.hub.repositories["me/mini"]["model.safetensors"] = weights
        installs.run(Told().context(), installs.plan("mini").payload())
        return told(installs)

    installs = service.installs()
    first, second = (put(installs, letter * 5000) for letter in (b"a", b"b"))
    assert first != second, "the same id and the same size, but another commit"
    restarted = service.installs()
    restarted.offer()
    assert told(restarted) == second
    restarted.remove("mini", "owner")
    assert restarted.commits() == []


def test_who_lists_models_does_not_disturb_who_replaces_one(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            shelf.models()

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(150):
            folder = shelf.parts("mini")
            (folder / "config.json").write_text("{}", encoding="utf-8")
            shelf.publish(ShelfModel("mini", folder, "me/mini", "c", ()))
            assert shelf.remove("mini")
    finally:
        ended.set()
        for looker in lookers:
            looker.join()


def test_a_model_of_another_publisher_does_not_take_the_place_of_one_of_the_same_name(
    service: Service, tmp_path: Path
) -> None:
    installs = service.installs()
    folder = installs.shelf.parts("mini")
    (folder / "model.safetensors").write_bytes(b"theirs")
    installs.shelf.publish(ShelfModel("mini", folder, "you/mini", "c", ()))
    go = threading.Event()
    waiting = {"model.install": lambda context, payload: {"ended": go.wait(30)}}
    queue = JobQueue("svc-hub", f"sqlite:///{tmp_path}/jobs.db", waiting)
    queue.start()
    try:
        with pytest.raises(Conflict, match="from 'you/mini'. Remove that one first"):
            installs.begin("mini", None, "ana", "owner", queue)
        installs.remove("mini", "owner")
        queue.submit("model.install", {**installs.plan("mini").payload(), "repo": "you/mini"}, "ana")
        with pytest.raises(Conflict, match="being installed just now, from 'you/mini'"):
            installs.begin("mini", None, "ana", "owner", queue)
    finally:
        go.set()
        queue.stop()


def test_ids_that_look_alike_have_folders_of_their_own(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert len({shelf.parts(name) for name in ("a/b", "a--b", "a/b:", "../b", "á/b")}) == 5
    assert all(shelf.parts(name).parent == tmp_path / ".parts" for name in ("..", "/", "...", "a/../../b"))


def test_a_second_request_joins_the_job_that_is_at_it(service: Service, tmp_path: Path) -> None:
    installs = service.installs()
    service.hub.faults.bytes_per_s = 300_000
    service.hub.faults.waits_at = 1  # the first goes on only when it is cancelled
    queue = JobQueue("svc-hub", f"sqlite:///{tmp_path}/jobs.db", {"model.install": installs.run})
    queue.start()
    try:
        first = installs.begin("mini", None, "ana", "owner", queue)
        assert installs.begin("mini", None, "ana", "owner", queue).id == first.id
        with pytest.raises(Conflict, match="Somebody else"):
            installs.begin("mini", None, "bia", "owner", queue)
        queue.cancel(first.id, "ana")
        service.hub.faults.waits_at = 0
        deadline = time.monotonic() + 120
        while not queue.get(first.id, "ana").final and time.monotonic() < deadline:
            time.sleep(0.02)
        assert queue.get(first.id, "ana").status == "cancelled"
        service.hub.faults.bytes_per_s = 0
        second = installs.begin("mini", None, "ana", "owner", queue)
        while not queue.get(second.id, "ana").final and time.monotonic() < deadline:
            time.sleep(0.02)
        assert queue.get(second.id, "ana").status == "completed"
        with pytest.raises(Conflict, match="installed already"):
            installs.begin("mini", None, "ana", "owner", queue)
    finally:
        queue.stop()
