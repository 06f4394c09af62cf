"""Names of settings that another service's must not be taken for."""

from __future__ import annotations

import pytest

from svc_chat.settings import Settings

MIB = 2**20


def test_the_budget_of_all_services_is_not_that_of_chat_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Settings().loaded_models_bytes
    monkeypatch.setenv("MEMORY_BUDGET_MB", "7")  # the gateway's
    assert Settings().loaded_models_bytes == own


@pytest.mark.parametrize("name", ["CHAT_MEMORY_BUDGET_MB", "CHAT_LOADED_MODELS_MB", "LOADED_MODELS_MB"])
def test_what_chat_may_load_is_told_by_its_old_name_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "9")
    assert Settings().loaded_models_bytes == 9 * MIB


def test_the_new_name_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_MEMORY_BUDGET_MB", "9")
    monkeypatch.setenv("CHAT_LOADED_MODELS_MB", "11")
    assert Settings().loaded_models_bytes == 11 * MIB
