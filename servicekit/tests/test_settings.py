"""Where a setting is looked for, and in what order."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from servicekit.settings import ServiceSettings


class ChatLike(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CHAT_")
    secret: str = ""


def test_the_prefixed_name_wins_over_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")
    assert ChatLike().port == 1
    monkeypatch.setenv("CHAT_PORT", "2")
    assert ChatLike().port == 2


def test_a_secret_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden\n")
    monkeypatch.setenv("CHAT_SECRET_FILE", str(tmp_path / "secret"))
    assert ChatLike().secret == "hidden"
    monkeypatch.setenv("SECRET", "said")
    assert ChatLike().secret == "said"


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "http://a, http://b ,")
    assert ChatLike().cors_origins == ("http://a", "http://b")


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert ChatLike().port == 8000


def test_a_wrong_level_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValidationError, match="DEBUG, INFO"):
        ChatLike(log_level="loud")


def test_state_is_sqlite_below_the_data_folder_unless_told_otherwise(tmp_path: Path) -> None:
    assert ChatLike(data_dir=tmp_path).sql_url == f"sqlite:///{tmp_path / 'service.db'}"
    assert ChatLike(database_url="postgresql://x").sql_url == "postgresql://x"
