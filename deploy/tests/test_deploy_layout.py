"""Where the runner puts things and which ports it gives."""

import configparser
from pathlib import Path

import pytest

from deploy import layout as layouts
from deploy import machine, services, supervisor
from deploy.layout import Layout


def _layout(tmp_path: Path, **env: str) -> Layout:
    for service in services.ALL:
        (tmp_path / service.name).mkdir()
        (tmp_path / service.name / "pyproject.toml").touch()
    return Layout(root=tmp_path, data_dir=tmp_path / "data", env=dict(env))


def test_dotenv_gives_values_and_skips_comments(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# CHAT_PORT=1\nCHAT_PORT=9002\nexport NAME='a b'\n\nnonsense\n")
    assert layouts._dotenv(file) == {"CHAT_PORT": "9002", "NAME": "a b"}


def test_every_port_moves_by_the_offset(tmp_path: Path) -> None:
    moved = Layout(root=tmp_path, data_dir=tmp_path, port_offset=10000, env={"CHAT_PORT": "9002"})
    ports = {service.name: service.port(moved) for service in services.ALL}
    assert ports["svc-chat"] == 19002
    assert ports["gateway"] == 18001
    assert len(set(ports.values())) == len(services.ALL)


@pytest.mark.parametrize("value", ["chat", "0", "70000", "-1"])
def test_a_port_that_is_none_is_named_with_its_remedy(tmp_path: Path, value: str) -> None:
    wrong = Layout(root=tmp_path, data_dir=tmp_path, env={"CHAT_PORT": value})
    with pytest.raises(ValueError, match="CHAT_PORT is '.*'; use a number"):
        services.MODELS[0].port(wrong)


def test_a_deep_data_folder_still_gets_a_short_socket(tmp_path: Path) -> None:
    deep = Layout(root=tmp_path, data_dir=tmp_path / ("d" * 120))
    assert len(str(deep.socket("supervisor.sock"))) <= layouts.SOCKET_PATH_MAX


def test_the_gateway_is_told_every_upstream(tmp_path: Path) -> None:
    told = services.environment(services.GATEWAY, _layout(tmp_path))
    assert told["UPSTREAM_IMAGE_GEN"] == "http://127.0.0.1:8003"
    assert told["UPSTREAM_FRONTEND"] == "http://127.0.0.1:8007"
    assert told["HOST"] == "127.0.0.1"


def test_supervisors_file_is_read_back_with_odd_values_and_no_secret(tmp_path: Path) -> None:
    odd = _layout(tmp_path, REDIS_URL="redis://h/%40", OWNER_PASSWORD="never written")
    file = supervisor.write_configuration(odd)
    parsed = configparser.RawConfigParser()
    parsed.read(file)
    here = [service for service in services.ALL if service.exists(odd)]
    assert {f"program:{service.name}" for service in here} <= set(parsed.sections())
    assert "program:upkeep" in parsed.sections()
    assert 'REDIS_URL="redis://h/%%40"' in parsed["program:gateway"]["environment"]
    assert "never written" not in file.read_text()


def test_a_machine_without_a_sandbox_runs_everything_but_the_code_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = _layout(tmp_path)
    names = {}
    for missing in (None, "no bubblewrap"):
        monkeypatch.setattr(machine, "sandbox_missing", lambda missing=missing: missing)
        names[missing] = {service.name for service in services.ALL if service.exists(here)}
        told = services.environment(services.GATEWAY, here)
        assert ("UPSTREAM_CODE" in told) is (missing is None)
    assert names[None] - names["no bubblewrap"] == {"svc-code"}


def test_batch_work_runs_behind_all_other_work(tmp_path: Path) -> None:
    here = _layout(tmp_path)
    commands = {service.name: services.command(service, here) for service in services.ALL}
    assert commands["svc-image-gen"][0] == "nice"
    assert commands["svc-chat"][0] == str(here.python)
