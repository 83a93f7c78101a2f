"""Reports as CSV and JSON: the rows, and the figures."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from jobs.kinds.report.document import FigureAggregator
from tests.reports import sample_rows
from tests.reports.built_reports import FIRST, LAST, NOON, build_report, report_row


def csv_rows(*args: Any, **others: Any) -> list[dict[str, str]]:
    text = build_report(*args, format="csv", **others).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def json_report(*args: Any, **others: Any) -> dict[str, Any]:
    found = json.loads(build_report(*args, format="json", **others))
    assert isinstance(found, dict)
    return found


def test_csv_row_has_every_field_of_a_job() -> None:
    at = datetime(2026, 11, 20, 12, 0, 7, 250_000, tzinfo=UTC)

    (found,) = csv_rows([report_row('a "b", c\nd.zip', finished_at=at, waited_seconds=4.25678)])

    assert found == {
        "jobId": "2b241cda-4ee4-4a93-8055-7a1f74a4bd18",
        "name": 'a "b", c\nd.zip',
        "owner": "ana",
        "kind": "bundle",
        "status": "completed",
        "errorCode": "",
        "sizeBytes": "1000",
        "createdAt": "2026-11-20T12:00:00.000Z",
        "finishedAt": "2026-11-20T12:00:07.250Z",
        "waitedSeconds": "4.257",
        "ranSeconds": "3.0",
    }


def test_csv_has_a_byte_order_mark_and_crlf_line_ends() -> None:
    content = build_report([report_row()], "csv")

    assert content.startswith("\ufeffjobId,name,".encode())
    assert content.endswith(b"\r\n")
    assert content.count(b"\r\n") == content.count(b"\n") == 2


def test_csv_without_rows_is_the_header() -> None:
    assert build_report([], "csv").count(b"\r\n") == 1
    assert csv_rows([]) == []


@pytest.mark.parametrize(
    "name",
    [
        *["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")', "-"],
        *["＝1", "＋1", "－1", "＠x", "﹢1", "﹣1", "﹦1", "﹫x", "\N{MINUS SIGN}1", "₌1", "⁻1"],
        *[" =1", "\N{NO-BREAK SPACE}=1", "\N{ZERO WIDTH NO-BREAK SPACE}=1", "\x00=1", "'=1", '"=1'],
    ],
)
def test_name_that_starts_like_a_formula_gets_an_apostrophe(name: str) -> None:
    (found,) = csv_rows([report_row(name, owner=name)])

    assert (found["name"], found["owner"]) == (f"'{name}", f"'{name}")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a;=1", "a;'=1"),
        ("a\t+1", "a\t'+1"),
        ("a\n@x", "a\n'@x"),
        ("a\r-1", "a\r'-1"),
        ("a,=1", "a,'=1"),
        ('a;"=1"', 'a;"\'=1"'),
        ("a; ＝1;-2", "a; '＝1;'-2"),
        (";=1", ";'=1"),
        ("=1;=2", "'=1;'=2"),
        *[(f"a{c}=1", f"a{c}'=1") for c in "\v\f\x1c\x1e\x1f\x85\u2028\u2029"],
        *[(f"{c}=1", f"'{c}=1") for c in "\x85\u034f\u061c\u2800\u3164\ufe0f\U000e0061"],
    ],
)
def test_formula_after_a_cell_separator_gets_an_apostrophe(name: str, kept: str) -> None:
    """Excel splits at semicolons in locales with a decimal comma; pasted text splits at tabs."""
    assert csv_rows([report_row(name)])[0]["name"] == kept


def test_all_text_columns_are_escaped_and_numbers_are_not() -> None:
    (found,) = csv_rows([report_row(kind="=k", status="@s", error_code="-e", waited_seconds=-1.5)])

    assert (found["kind"], found["status"], found["errorCode"]) == ("'=k", "'@s", "'-e")
    assert (found["waitedSeconds"], found["sizeBytes"]) == ("-1.5", "1000")


@pytest.mark.parametrize("name", ["a=b-c.txt", "x - y; z, 1+1", "me@x.org", "C++.zip", "a;b\tc"])
def test_name_with_a_sign_inside_is_unchanged(name: str) -> None:
    assert csv_rows([report_row(name)])[0]["name"] == name


@pytest.mark.parametrize("format", ["csv", "json"])
def test_lone_surrogate_is_replaced(format: str) -> None:
    assert "? half" in build_report([report_row("\ud800 half")], format).decode()


def test_json_has_the_figures_and_the_rows() -> None:
    rows = list(sample_rows.rows(300, FIRST, LAST))
    aggregator = FigureAggregator(FIRST, LAST)
    for each in rows:
        aggregator.add(each)
    figures = aggregator.figures()

    found = json_report(rows, owner="")

    assert found["title"] == "Activity of everybody"
    assert found["owner"] is None
    assert found["period"] == {"from": "2026-10-24", "to": "2026-11-22"}
    assert found["madeAt"] == "2026-11-23T00:05:00.000Z"
    assert found["jobs"] == figures.jobs == len(found["rows"]) == 300
    assert found["bytes"] == figures.all.size_bytes == sum(each.size_bytes or 0 for each in rows)
    assert figures.waiting
    assert found["waitingSeconds"]["p95"] == round(figures.waiting.p95, 3)
    assert found["failures"] == [{"code": c, "jobs": count} for c, count in figures.failures]
    assert [each["sizeBytes"] for each in found["largest"]] == [
        each.size_bytes for each in figures.largest
    ]
    assert {kind: each["jobs"] for kind, each in found["byKind"].items()} == {
        each.kind: each.jobs for each in figures.kinds
    }
    assert [day["jobs"] for day in found["days"]] == [
        tally.outcomes.total() for tally in figures.days.values()
    ]
    assert [each["name"] for each in found["rows"]] == [each.name for each in rows]


def test_json_without_rows_is_complete() -> None:
    found = json_report([])

    assert (found["jobs"], found["rows"], found["byKind"]) == (0, [], {})
    assert found["waitingSeconds"] is None
    assert len(found["days"]) == 30


def test_unknown_values_are_null() -> None:
    waiting = report_row(
        status="queued", size_bytes=None, finished_at=None, waited_seconds=None, ran_seconds=None
    )

    (found,) = json_report([waiting])["rows"]

    assert found["createdAt"] == NOON.isoformat().replace("+00:00", ".000Z")
    unknown = ("errorCode", "sizeBytes", "finishedAt", "waitedSeconds", "ranSeconds")
    assert [found[key] for key in unknown] == [None] * 5
