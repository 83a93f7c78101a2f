"""What has no effect in a kind, such as a misspelled attribute, is a warning with a way out."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings
from orders import kinds as order_kinds
from rest_framework import serializers

import tests.kinds
import tests.shop
import tests.special_kinds
from jobs.engine.time_limit import TimeLimit
from jobs.kinds.archive.bundle import Bundle
from jobs.kinds.base import Kind
from jobs.kinds.likely_mistakes import likely_mistakes
from jobs.kinds.page_parts import Card
from jobs.operations.checks.kinds import check_kinds
from tests.shop import OrderExport

LIMIT = TimeLimit(60, 1, 60, True)


class PictureParams(serializers.Serializer[Any]):
    picture = serializers.FileField()


class FilterParams(serializers.Serializer[Any]):
    rows = serializers.DictField()
    more = serializers.JSONField(required=False)


class Picture(OrderExport):
    name = "picture"
    Params = PictureParams


def sentences(base: type[Kind], **members: Any) -> list[str]:
    kind = type("Mine", (base,), members)
    return [each.sentence.removeprefix(f"{__name__}.Mine") for each in likely_mistakes(kind)]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (PictureParams, " has no form: none can offer 'picture', a required FileField."),
        (FilterParams, " has no form: none can offer 'rows', a required DictField."),
    ],
)
def test_a_required_field_that_no_form_offers(params: Any, sentence: str) -> None:
    assert sentences(OrderExport, Params=params) == [sentence]
    assert sentences(OrderExport, Params=params, has_form=False) == []
    assert sentences(OrderExport, Params=params, form_url_name="own") == []


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"has_forms": False}, ".has_forms has no effect. Did you mean has_form?"),
        ({"retry_delay": ()}, ".retry_delay has no effect. Did you mean retry_delays?"),
        ({"stored_file": lambda self, params: None}, "Did you mean stored_files?"),
        ({"Param": PictureParams}, "Did you mean Params?"),
        (
            {"time_limit": 60},
            ".time_limit is 60, not a TimeLimit. Did you mean time_limit_seconds?",
        ),
        ({"card": "Orders"}, ".card is 'Orders', not a Card."),
    ],
)
def test_an_attribute_without_effect(members: dict[str, Any], sentence: str) -> None:
    [found] = sentences(Kind, **members)

    assert found.endswith(sentence)


def test_an_attribute_of_a_base_of_the_service_is_known() -> None:
    assert sentences(Bundle, max_sources=5) == []
    assert sentences(Bundle, max_source=5) == [
        ".max_source has no effect. Did you mean max_sources?"
    ]


@pytest.mark.parametrize(
    "members",
    [
        {"columns": ("id", "total"), "bucket": "invoices", "lines": lambda self: []},
        {"_has_forms": True, "RETRY_DELAY": 5},
        {"label": "Orders", "labels": {"id": "Number"}},
        {"time_limit": LIMIT, "card": Card("file", "Orders", "", "Orders")},
        {"time_limit": property(lambda self: LIMIT)},
    ],
)
def test_an_attribute_of_ones_own(members: dict[str, Any]) -> None:
    assert sentences(Kind, **members) == []


@pytest.mark.parametrize("module", [order_kinds, tests.kinds, tests.shop, tests.special_kinds])
def test_kinds_of_examples_and_tests_are_fine(module: Any) -> None:
    kinds = [each for each in vars(module).values() if inspect.isclass(each)]

    for kind in kinds:
        if issubclass(kind, Kind) and kind is not Kind:
            found = [
                each.sentence for each in likely_mistakes(kind) if each.check_id != "jobs.W041"
            ]
            assert found == []


def test_kinds_of_the_service_are_fine() -> None:
    for path in settings.KINDS:
        module, _, name = path.rpartition(".")
        kind = getattr(importlib.import_module(module), name)
        assert [each.sentence for each in likely_mistakes(kind)] == []


def test_the_start_is_not_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with override_settings(KINDS=[*settings.KINDS, f"{__name__}.Picture"]):
        [warning] = check_kinds()
        call_command("check")

    assert warning.id == "jobs.W041"
    assert "has_form = False" in capsys.readouterr().err
