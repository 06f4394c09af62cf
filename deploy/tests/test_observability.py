"""The dashboard and the scrape configuration speak of what the services really tell, and of all of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from deploy.layout import ROOT
from deploy.services import GATEWAY, MODELS
from gateway.app import create_edge
from gateway.parts import assemble
from gateway.settings import Settings as GatewaySettings
from servicekit.contract import TestKeys
from svc_chat.app import create_app
from svc_chat.engine.fake import FakeEngine
from svc_chat.settings import Settings as ChatSettings

DASHBOARD = ROOT / "deploy/observability/grafana/dashboards/oficina.json"
PROMETHEUS_ITSELF = {"up"}
UNITS = {
    "total", "seconds", "bytes", "requests", "calls", "urls", "circuits", "ready", "fds", "count", "sum", "bucket", "created", "info",
}  # fmt: skip
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def metrics_in(expression: str) -> set[str]:
    """Return the names of metrics in a PromQL expression."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)', " ", expression)
    return set(re.findall(r"\b[a-z][a-z0-9_]*\b(?!\s*\()", bare))


def named(registry: Any) -> set[str]:
    return {family.name + suffix for family in registry.collect() for suffix in _SUFFIXES[family.type]}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every name that the gateway and svc-chat tell; the other services tell what every service does."""
    folder = tmp_path_factory.mktemp("data")
    edge = create_edge(assemble(GatewaySettings(data_dir=folder / "gateway")))
    settings = ChatSettings(data_dir=folder / "chat")
    chat = create_app(settings, FakeEngine(), TestKeys().authenticator(settings))
    return named(edge._metrics.registry) | named(chat.state.metrics.registry)


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_of_the_dashboard_is_told_by_some_service(expression: str, exported: set[str]) -> None:
    asked = metrics_in(expression)
    assert asked
    assert asked <= exported | PROMETHEUS_ITSELF


def test_the_names_in_an_expression_are_found() -> None:
    expression = (
        'histogram_quantile(0.5, sum by (le, service) (rate(a_seconds_bucket{b="c"}[$__rate_interval]))) + up'
    )
    assert metrics_in(expression) == {"a_seconds_bucket", "up"}


def test_names_end_in_their_unit(exported: set[str]) -> None:
    assert {name for name in exported if name.rsplit("_", 1)[-1] not in UNITS} == set()


def test_prometheus_asks_every_service_with_a_network_where_it_listens() -> None:
    read = yaml.safe_load((ROOT / "deploy/observability/prometheus.yml").read_text(encoding="utf-8"))
    (job,) = read["scrape_configs"]
    asked = {(c["labels"]["service"], *c["targets"]) for c in job["static_configs"]}
    assert asked == {(s.name, f"{s.name}:{s.default_port}") for s in (GATEWAY, *MODELS) if not s.sandboxed}
    assert job["honor_labels"] is True


def test_what_observes_is_reached_from_this_computer_only_and_locked_like_the_rest() -> None:
    read = yaml.safe_load((ROOT / "deploy/compose/observability.yml").read_text(encoding="utf-8"))
    for name, service in read["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["mem_limit"], name
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith("./") or (ROOT / source).exists(), volume
    told = read["services"]["grafana"]["environment"]
    assert told["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert told["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
