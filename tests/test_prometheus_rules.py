"""The rules for Prometheus are those of the service; the dashboard shows metrics that it has."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from downloads_project.web_server import request_metrics as request_metrics  # registers its own
from jobs.notifications.alert_rules import RULES
from jobs.operations.metrics.view import AllMetrics
from tests import promtool

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "deploy/prometheus"
# Prometheus sees that nothing is there to be scraped; the service cannot.
OF_PROMETHEUS_ALONE = {"DownloadsMetricsMissing"}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_prometheus_has_a_rule_for_each_of_the_service() -> None:
    ours = {"Downloads" + rule.name.title().replace("-", "") for rule in RULES}

    assert {rule["alert"] for rule in rules()} == ours | OF_PROMETHEUS_ALONE


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_names_its_page(rule: dict[str, Any]) -> None:
    assert (ROOT / rule["annotations"]["runbook"]).is_file()
    assert rule["labels"]["severity"] in ("critical", "warning", "info")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("check", "alerts.yml"), ("test", "alerts_test.yml")])
def test_promtool_accepts_the_rules_and_their_tests(arguments: tuple[str, str]) -> None:
    verb, file = arguments
    done = subprocess.run(
        [promtool.path(), verb, "rules", file], cwd=FOLDER, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr


DASHBOARD = ROOT / "deploy/grafana/downloads.json"
METRIC = re.compile(r"\bdownloads_[a-z_]+")
SUFFIXES = re.compile("_(total|bucket|count|sum)$")


def queries() -> list[str]:
    """Return the queries of the dashboard, with a kind in place of its variable."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    found = [target["expr"] for panel in panels for target in panel["targets"]]
    return [query.replace("$kind", ".*") for query in found]


def test_the_dashboard_and_the_rules_ask_for_metrics_that_there_are(db: None) -> None:
    collected = [*AllMetrics().collect(), *REGISTRY.collect()]
    served = {SUFFIXES.sub("", family.name) for family in collected}
    # Without STORE_BYTES and a scanner there are none of these.
    served |= {"downloads_store_bytes", "downloads_store_used_bytes"}
    served |= {"downloads_scanner_signatures_timestamp_seconds"}
    asked = {name for query in queries() for name in METRIC.findall(query)}
    asked |= {name for rule in rules() for name in METRIC.findall(rule["expr"])}

    assert {SUFFIXES.sub("", name) for name in asked} - served == set()


@pytest.mark.slow
def test_promtool_accepts_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(queries())]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    done = subprocess.run([promtool.path(), "check", "rules", file], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
