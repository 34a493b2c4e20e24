"""The files of `deploy/`: manifests that Kubernetes takes, and policies that load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from guardstream import Guard
from guardstream.serve.proxy import ServeOptions, section_options
from tests.support.optional import optional

kubernetes_validate = optional("kubernetes_validate")

DEPLOY = Path(__file__).parents[1] / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
RESOURCES = [path for path in MANIFESTS if path.stem not in ("kustomization", "policy")]


@pytest.mark.parametrize("path", RESOURCES, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_manifests_are_as_kubernetes_wants_them(path: Path) -> None:
    data = yaml.safe_load(path.read_text())
    kubernetes_validate.validate(data, "1.30", strict=True)


def test_the_kustomization_names_all_of_them() -> None:
    said = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    assert sorted(said["resources"]) == [path.name for path in RESOURCES]


def test_the_policy_of_the_cluster_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UPSTREAM_KEY", "WEB_KEY"):
        monkeypatch.setenv(name, "x" * 32)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    path = DEPLOY / "kubernetes" / "policy.yaml"
    said = section_options(str(path))
    named = {key: value for key, value in said.items() if key not in ("listen", "workers")}
    options = ServeOptions(**{**named, "policies": {"default": str(path)}})
    assert (options.drain, options.grace) == (10, 30)
    deployment = yaml.safe_load((DEPLOY / "kubernetes" / "deployment.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > options.drain + options.grace
    assert Guard.load(path, rules_only=True).check("write to ana@example.com").text.endswith("]")


def test_the_compose_file_is_yaml_and_names_files_that_are_there() -> None:
    said = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    build = said["services"]["guardstream"]["build"]
    root = (DEPLOY / "compose" / build["context"]).resolve()
    assert (root / build["dockerfile"]).is_file()
    assert (root / "pyproject.toml").is_file()


def envoy(name: str) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """The connection manager of a configuration, its filters, and the clusters."""
    said = yaml.safe_load((DEPLOY / "envoy" / name).read_text())["static_resources"]
    (listener,) = said["listeners"]
    (chain,) = listener["filter_chains"]
    manager = dict(chain["filters"][-1]["typed_config"])
    return manager, manager.pop("http_filters"), said["clusters"]


def test_the_edge_with_the_processor_is_both_configurations() -> None:
    whole, filters, clusters = envoy("edge_processor.yaml")
    edge, of_edge, _ = envoy("edge.yaml")
    _, of_processor, behind = envoy("processor.yaml")
    assert clusters == behind
    processor, router = of_processor
    assert filters[1:] == [*of_edge[1:-1], processor, router]  # health is of another cluster
    routes = whole.pop("route_config"), edge.pop("route_config")
    assert whole == edge
    assert str(routes[0]) == str(routes[1]).replace("'proxy'", "'provider'")
