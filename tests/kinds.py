"""Kinds as a team writes them: each imports what it needs from jobs.kinds.

The fixture `add_kinds` puts them into the setting KINDS.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator
from django.urls import clear_url_caches
from django.utils.functional import empty
from rest_framework import serializers

import downloads_project.urls
import jobs.web.urls
from jobs.kinds import BuildError, Kind, Workspace
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob
from jobs.web.api import kinds
from jobs.web.openapi import document
from jobs.web.serializers.fields import StrictList, TextField, Timestamp, Url


def reload_kinds() -> None:
    """Load the kinds and the URLs again, after a change of the setting KINDS."""
    KINDS._wrapped = empty  # type: ignore[attr-defined]
    for cached in (document.openapi_document, document._rendered, kinds.request_schema):
        cached.cache_clear()
    importlib.reload(jobs.web.urls)
    importlib.reload(downloads_project.urls)
    clear_url_caches()


class YearParams(serializers.Serializer[Any]):
    year = serializers.IntegerField(min_value=2000, label="Year")


class NoOrders(BuildError):
    code = "no_orders"
    meaning = "The year has no orders."


class OrderExport(Kind):
    """Writes the orders of a year as CSV, and notes how many."""

    name = "order-export"
    label = "Orders as CSV"
    content_type = "text/csv"
    suffix = ".csv"
    Params = YearParams

    def load(self, job: DownloadJob) -> tuple[int, Iterator[tuple[int, int]]]:
        year = job.params["year"]
        return year, ((number, year) for number in range(3))

    def build(self, loaded: tuple[int, Iterator[tuple[int, int]]], work: Workspace) -> None:
        year, rows = loaded
        if year == 2001:
            raise NoOrders("There are no orders of 2001.")
        work.describe(name=f"Orders of {year}.csv")
        work.plan(3, "orders")
        work.say("Writing the orders")
        for row in rows:
            work.output.write("{},{}\n".format(*row).encode())
            work.advance(1)
        work.note(orders=3)


class SmallKind(Kind):
    """A kind whose artifact is its params."""

    def load(self, job: DownloadJob) -> dict[str, Any]:
        return job.params

    def build(self, loaded: dict[str, Any], work: Workspace) -> None:
        work.output.write(repr(loaded).encode())


class SalesExport(SmallKind):
    """A kind with everything that a form can show."""

    name = "sales-export"
    label = "Sales as CSV"
    description = "Your sales as a table for spreadsheets."
    suffix = ".csv"

    class Params(serializers.Serializer[Any]):
        customer = serializers.CharField(max_length=80, help_text="As on the invoice.")
        year = serializers.IntegerField(min_value=2000, max_value=2100, label="Year of the sales")
        minimum = serializers.DecimalField(
            8, 2, min_value=Decimal(0), required=False, label="Minimum amount"
        )
        rate = serializers.FloatField(
            default=1.5,
            min_value=0.1,
            validators=[MaxValueValidator(100)],
            label="Exchange rate",
            error_messages={"min_value": "Use a rate that is not 0."},
        )
        separator = serializers.ChoiceField(
            [("comma", "Comma"), ("semicolon", "Semicolon"), ("tab", "Tab")], default="comma"
        )
        region = serializers.ChoiceField(
            [
                ("Europe", [("de", "Germany"), ("fr", "France"), ("nl", "Netherlands")]),
                ("Asia", [("jp", "Japan"), ("kr", "South Korea")]),
                ("all", "All regions"),
            ],
            required=False,
        )
        first_day = serializers.DateField(help_text="Sales from this day on.")
        placed_before = serializers.DateTimeField(required=False)
        closes = serializers.TimeField(required=False, label="Time of day")
        columns = serializers.MultipleChoiceField(
            choices=[("id", "Number"), ("total", "Total"), ("customer", "Name of the customer")],
            default=["id", "total"],
        )
        tags = serializers.ListField(
            child=serializers.CharField(max_length=12), required=False, max_length=3
        )
        contact = serializers.EmailField(required=False)
        website = serializers.URLField(required=False)
        note = serializers.CharField(
            required=False, allow_blank=True, style={"base_template": "textarea.html", "rows": 3}
        )
        with_vat = serializers.BooleanField(default=True, label="Prices with VAT")
        drafts = serializers.BooleanField(
            default=False, label="Include drafts", help_text="They have no number yet."
        )
        paid = serializers.BooleanField(allow_null=True, default=None, label="Paid")
        layout = serializers.JSONField(required=False)  # no form can show it

        def validate_year(self, year: int) -> int:
            if year == 2012:
                raise serializers.ValidationError("There are no sales of 2012.")
            return year

        def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
            if attrs["year"] == 2013:
                raise serializers.ValidationError("There are no sales of that year.")
            if attrs["year"] == 2014:
                raise serializers.ValidationError({"layout": ["There is no layout for it."]})
            if attrs["year"] == 2015:
                raise serializers.ValidationError({"layout": [{}, {"width": ["It is too wide."]}]})
            return attrs


class StrictExport(SmallKind):
    """A kind with the strict fields of the house."""

    name = "strict-export"
    name_field = "name"
    label = "Strict export"

    class Params(serializers.Serializer[Any]):
        title = TextField(max_length=20)
        copies = serializers.IntegerField(default=1, min_value=1, max_value=9)
        numbers = StrictList(child=serializers.IntegerField(), required=False)
        signed = serializers.BooleanField()
        since = Timestamp(required=False)
        link = Url(required=False, max_length=200)
        name = TextField(required=False, label="Title of the file")


class ChoiceExport(SmallKind):
    """A kind with choices of every sort."""

    name = "choice-export"
    label = "Choices"

    class Params(serializers.Serializer[Any]):
        size = serializers.ChoiceField([("s", "Small"), ("l", "Large")])
        colour = serializers.ChoiceField([(n, f"Colour number {n}") for n in range(9)])
        shape = serializers.ChoiceField(["round", "square"], style={"base_template": "radio.html"})
        mood = serializers.ChoiceField(["good", "bad"], allow_blank=True)
        days = serializers.ListField(
            child=serializers.ChoiceField([("sa", "Saturday"), ("su", "Sunday")]), required=False
        )
        parts = serializers.MultipleChoiceField(
            choices=["one", "two"], required=False, style={"base_template": "select_multiple.html"}
        )
        group = serializers.PrimaryKeyRelatedField(queryset=Group.objects.all())
        groups = serializers.PrimaryKeyRelatedField(
            queryset=Group.objects.all(), many=True, required=False
        )


class PlainExport(SmallKind):
    """A kind whose request has no fields, not even a file name."""

    name = "plain-export"
    label = "Everything"
    name_field = ""


class NestedExport(SmallKind):
    """A kind that requires what a form cannot show."""

    name = "nested-export"
    label = "Nested export"

    class Params(serializers.Serializer[Any]):
        layout = serializers.DictField()


class HiddenExport(SalesExport):
    """A kind that opts out of the form."""

    name = "hidden-export"
    label = "Hidden export"
    has_form = False


class StaffExport(PlainExport):
    """A kind that only some users may request."""

    name = "staff-export"
    label = "For staff"
    permission = "jobs.view_downloadjob"


class Stamped(SmallKind):
    """A kind whose source becomes its artifact, like an upload."""

    name = "stamped"
    label = "Stamp"
    is_stored = True
