"""A folder that cannot be written is told as that, and what was installed stays of use."""

from __future__ import annotations

import os

import pytest

from servicekit.errors import NotReady
from servicekit.hub import installs as installs_module
from servicekit.hub.errors import HubUnreachable

from .test_hub import Service, Told, install, service  # noqa: F401 - a fixture


@pytest.mark.parametrize("in_the_way", ["config.json.part", "config.json/x"])
def test_a_file_that_cannot_be_written_is_not_the_hubs_fault(
    service: Service,  # noqa: F811
    in_the_way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(installs_module, "_pause", lambda *_: None)
    (service.installs().shelf.parts("mini") / in_the_way).mkdir(parents=True)
    with pytest.raises(NotReady) as told:
        install(service)
    assert not isinstance(told.value, HubUnreachable)
    assert "cannot be written" in told.value.message and str(service.folder) not in told.value.message


def test_a_newer_commit_that_finds_no_room_leaves_the_older_in_use(
    service: Service,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(service)
    service.hub.repositories["me/mini"]["model.safetensors"] = os.urandom(90_000)
    installs = service.installs()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/home/ana/oficina.json")

    monkeypatch.setattr(installs.shelf, "publish", full)
    with pytest.raises(NotReady, match="Free some disk space"):
        installs.run(Told().context(), installs.plan("mini").payload())
    assert service.left == ["mini"] and [model.id for model in service.arrived] == ["mini", "mini"]
    assert service.arrived[0].commit == service.arrived[1].commit
    assert installs.commits() == [f"mini {service.arrived[0].commit}"]
