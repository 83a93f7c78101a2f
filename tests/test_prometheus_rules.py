"""The rules for Prometheus are those that the service has itself, and do what they say."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.notifications.alert_rules import RULES
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
