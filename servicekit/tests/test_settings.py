"""Where a setting is looked for, and in what order."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from servicekit.serve import serve as serve_asgi
from servicekit.serve_wsgi import serve as serve_wsgi
from servicekit.settings import ServiceSettings


class ChatLike(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CHAT_")
    renamed = {"loaded_mb": "budget_mb"}
    secret: str = ""
    loaded_mb: int = 0


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


def test_a_refusal_names_the_setting_and_prints_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_SECRET", "hidden")
    monkeypatch.setenv("CHAT_PORT", "a word")
    with pytest.raises(ValidationError, match="port") as caught:
        ChatLike()
    assert "hidden" not in str(caught.value) and "a word" not in str(caught.value)


def test_a_renamed_setting_is_still_read_under_its_old_prefixed_name_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BUDGET_MB", "1")
    assert ChatLike().loaded_mb == 0, "the plain name may be another service's"
    monkeypatch.setenv("CHAT_BUDGET_MB", "2")
    assert ChatLike().loaded_mb == 2
    monkeypatch.setenv("LOADED_MB", "3")
    assert ChatLike().loaded_mb == 3


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


@pytest.mark.parametrize(
    ("given", "starts"),
    [
        ({"auth": "off"}, True), ({"auth": "off", "host": "0.0.0.0"}, False), ({"auth": "off", "host": "::"}, False),
        ({"auth": "off", "host": "192.168.1.5"}, False), ({"host": "0.0.0.0"}, True),
        ({"auth": "off", "host": "0.0.0.0", "published_host": "127.0.0.1"}, True),
        ({"auth": "off", "published_host": "0.0.0.0"}, False), ({"auth": "off", "host": "0.0.0.0", "uds": "/x"}, True),
    ],
)  # fmt: skip
def test_a_service_that_anybody_could_call_does_not_start(given: dict[str, str], starts: bool) -> None:
    assert (ChatLike(**given).open_door() is None) is starts


def test_both_ways_of_serving_refuse_an_open_door() -> None:
    open_door = ChatLike(auth="off", host="0.0.0.0")
    for serve in (serve_asgi, serve_wsgi):
        with pytest.raises(SystemExit, match="AUTH=off"):
            serve(None, open_door)  # type: ignore[arg-type]
