"""svc-chat tells which call takes a model of another task: it knows them all, and they are there."""

from __future__ import annotations

from pathlib import Path

from gateway.domain.routing import Kind, decide
from servicekit.models import Catalogue
from svc_chat.domain.other_tasks import CALLS

ROOT = Path(__file__).resolve().parents[1]
NO_CALL = {"chat", "image-decoder", "browser-text", "browser-caption"}
"""What chats, is part of another model, or runs in the browser."""


def test_every_task_of_a_catalogue_has_its_call() -> None:
    catalogues = [Catalogue.from_yaml(path) for path in ROOT.glob("svc-*/src/*/catalogue.yaml")]
    tasks = {task for one in catalogues for entry in one.entries for task in (entry.task, *entry.also)}
    assert len(tasks) > 10
    assert tasks - NO_CALL - CALLS.keys() == set()


def test_every_such_call_leads_to_a_service() -> None:
    assert {decide("POST", path).kind for path in CALLS.values()} == {Kind.SERVICE}
