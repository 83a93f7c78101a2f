"""Each mistake in a kind, or in KINDS and APPS, stops the start with a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings
from rest_framework import serializers

from jobs.kinds.base import Kind
from jobs.kinds.mistakes import mistakes
from jobs.kinds.registry import load_kinds
from jobs.operations.checks.kinds import check_kinds
from tests.shop import OrderExport


class Named(serializers.Serializer[Any]):
    name = serializers.CharField()


class Prioritized(Named):
    priority = serializers.CharField()


class NoBuild(Kind):
    name = "no-build"
    label = "No build"

    def load(self, job: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("members", "mistake"),
    [
        ({"name": None}, "name is None, which is not a name."),
        ({"name": "Order Export"}, "name is 'Order Export', which is not a name."),
        ({"name": "a" * 51}, "which is not a name."),
        ({"label": " "}, "has no label."),
        ({"permission": "export"}, "permission is 'export'."),
        ({"roles": {"artifact": "The file"}}, "roles has 'artifact'."),
        ({"roles": {"a/b": "The file"}}, "roles has 'a/b'."),
        ({"roles": {"r" * 21: "The file"}}, f"roles has '{'r' * 21}'."),
        ({"Params": dict}, "Params is not a serializer."),
        ({"Params": Named()}, "Params is not a serializer."),
        ({"load": Kind.load}, "has no method load."),
        ({"build": Kind.build}, "has no method build."),
    ],
)
def test_a_mistake_is_named(members: dict[str, Any], mistake: str) -> None:
    kind = type("Wrong", (OrderExport,), members)

    [found] = mistakes(kind)

    assert found.sentence.startswith("tests.")
    assert found.sentence.endswith(mistake)
    assert found.hint


def test_fields_that_every_request_has_are_named() -> None:
    kind = type("Wrong", (OrderExport,), {"Params": Prioritized})

    assert [each.sentence.partition("Wrong.")[2] for each in mistakes(kind)] == [
        "Params has a field 'priority'.",
        "Params has a field 'name'.",
    ]


def test_a_field_may_be_the_file_name() -> None:
    kind = type("Fine", (OrderExport,), {"Params": Named, "name_field": "name"})

    assert not list(mistakes(kind))


@pytest.mark.parametrize(
    ("path", "check_id", "sentence"),
    [
        ("shop.kinds.Orders", "jobs.E031", "KINDS has 'shop.kinds.Orders': No module named 'shop'"),
        ("jobs.workspace.Source", "jobs.E031", "'jobs.workspace.Source', which is not a Kind."),
        ("tests.test_kind_checks.NoBuild", "jobs.E035", "NoBuild has no method build."),
        ("jobs.kinds.report.kind.Report", "", ""),
    ],
)
def test_a_wrong_path_is_named_and_left_out(path: str, check_id: str, sentence: str) -> None:
    with override_settings(KINDS=[*settings.KINDS, path]):
        errors = check_kinds()

        assert [error.id for error in errors] == [check_id] * bool(check_id)
        assert all(sentence in error.msg for error in errors)
        assert list(load_kinds()) == ["bundle", "remote", "upload", "register", "report"]


def test_two_kinds_of_one_name_are_named() -> None:
    second = "tests.test_kind_checks.SecondReport"
    with override_settings(KINDS=[*settings.KINDS, second]):
        [error] = check_kinds()

    assert error.id == "jobs.E032"
    assert error.msg == f"{second} has the name 'report', as an earlier kind has."


class SecondReport(OrderExport):
    name = "report"


def test_the_start_is_refused() -> None:
    with override_settings(KINDS=["shop.kinds.Orders"]), pytest.raises(SystemCheckError):
        call_command("check")


@pytest.mark.parametrize(
    ("variables", "status", "sentence"),
    [
        (
            {"APPS": "shop"},
            3,
            "APPS is 'shop', which is not installed: there is no package 'shop'.",
        ),
        ({"APPS": "tests,x"}, 3, "APPS is 'x', which is not installed"),
        ({"KINDS": "tests.shop.OrderExport"}, 0, ""),
        ({"KINDS": "tests.shop.Nothing"}, 1, "KINDS has 'tests.shop.Nothing'"),
    ],
)
def test_the_environment_adds_apps_and_kinds(
    variables: dict[str, str], status: int, sentence: str
) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "downloads_project.settings"} | variables,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == status
    assert sentence in done.stderr


def test_code_of_apps_is_reloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    from downloads_project.local.run import folders_of_apps

    assert folders_of_apps() == []

    monkeypatch.setenv("APPS", "orders,orders.apps.OrdersConfig")

    folder = str(settings.BASE_DIR / "examples" / "orders")
    assert folders_of_apps() == [folder]
