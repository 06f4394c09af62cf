"""A folder that cannot be written is told as that, and what was installed stays of use."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from servicekit.errors import NotReady
from servicekit.hub import installs as installs_module
from servicekit.hub import shelf as shelf_module
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


@pytest.mark.parametrize(
    ("fails", "left"), [("replace", []), ("sync", ["newer"])], ids=["between the two", "after the rename"]
)
def test_what_is_told_after_a_failure_is_what_is_on_the_disk(
    service: Service,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    fails: str,
    left: list[str],
) -> None:
    install(service)
    service.hub.repositories["me/mini"]["model.safetensors"] = os.urandom(90_000)
    installs = service.installs()
    installs.offer()
    plan = installs.plan("mini")
    replace, sync, root = os.replace, shelf_module._sync, installs.shelf.root

    def full_at_replace(source: Path, target: Path) -> None:
        if fails == "replace" and Path(target).parent == root:
            raise OSError(28, "No space left on device")
        replace(source, target)

    def full_at_sync(path: Path) -> None:
        if fails == "sync" and path == root:
            raise OSError(28, "No space left on device")
        sync(path)

    monkeypatch.setattr(shelf_module, "os", SimpleNamespace(**vars(os) | {"replace": full_at_replace}))
    monkeypatch.setattr(shelf_module, "_sync", full_at_sync)
    with pytest.raises(NotReady):
        installs.run(Told().context(), plan.payload())
    assert [model.id for model in installs.shelf.models()] == ["mini"] * len(left)
    assert installs.commits() == [f"mini {plan.commit}" for _ in left]
    assert not left or service.arrived[-1].commit == plan.commit
