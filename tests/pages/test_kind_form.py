"""A kind of another app has a page with a form, made of its Params alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.test import Client

from jobs.kinds.form import forms_for
from jobs.models import DownloadJob, Preferences
from tests.factories import JobFactory
from tests.pages.looks import BROWSER, INLINE, of, text

ORDERS, STRICT, PLAIN = "/new/sales-export", "/new/strict-export", "/new/plain-export"
CHOICES = "/new/choice-export"
KINDS = [
    "ChoiceExport",
    "SalesExport",
    "StrictExport",
    "PlainExport",
    "NestedExport",
    "HiddenExport",
    "StaffExport",
]
# What a browser sends for the form as it opens, with the required fields filled in.
FILLED: dict[str, Any] = {
    "customer": "Marsh & Sons",
    "year": "2025",
    "minimum": "",
    "rate": "1.5",
    "separator": "comma",
    "region": "",
    "first_day": "2025-01-31",
    "placed_before": "",
    "closes": "",
    "columns": ["", "id", "total"],
    "tags": "",
    "contact": "",
    "website": "",
    "note": "",
    "with_vat": ["false", "true"],
    "drafts": "false",
    "paid": "",
    "name": "",
    "runAt": "",
}
DEFAULTS = {
    "customer": "Marsh & Sons",
    "year": 2025,
    "rate": 1.5,
    "separator": "comma",
    "first_day": "2025-01-31",
    "columns": ["id", "total"],
    "note": "",
    "with_vat": True,
    "drafts": False,
    "paid": None,
}
STRICT_FILLED = {"title": "July", "copies": "2", "signed": "true"}


@pytest.fixture(autouse=True)
def kinds(add_kinds: Any) -> None:
    add_kinds(*(f"tests.kinds.{name}" for name in KINDS))


def post(visitor: Client, path: str, values: dict[str, Any], **changes: Any) -> HttpResponse:
    response: HttpResponse = visitor.post(path, values | changes)  # type: ignore[assignment]
    return response


def refused(visitor: Client, path: str, values: dict[str, Any], **changes: Any) -> str:
    """Return the HTML of the form that is shown again."""
    response = post(visitor, path, values, **changes)

    assert response.status_code == 400, response.get("Location")
    assert not DownloadJob.objects.exists()
    return text(response)


def errors(html: str) -> dict[str, str]:
    """Return the sentence at each field that has one; at "" the one of the whole form."""
    found = re.findall(r'<p class="error" id="(\w+)-error" role="alert">([^<]*)</p>', html)
    alert = re.findall(r'<p class="notice is-failed" role="alert">.*?</svg>([^<]*)</p>', html)
    return dict(found) | dict.fromkeys([""] if alert else [], "".join(alert))


def control(html: str, name: str) -> str:
    """Return the tag of the visible control with that name."""
    tags = re.findall(rf'<(?:input|select|textarea)\s[^>]*?name="{name}"[^>]*>', html)
    return next(" ".join(tag.split()) for tag in tags if 'type="hidden"' not in tag)


def chosen(html: str, name: str) -> list[str]:
    """Return the values of the ticked boxes and radios of that name."""
    return re.findall(rf'name="{name}" value="([^"]*)"\s*checked', html)


def test_each_field_has_the_control_of_its_type(visitor: Client) -> None:
    html = text(visitor.get(ORDERS))

    for name, expected in {
        "customer": ['type="text"', 'maxlength="80"', "required"],
        "year": ['type="number"', 'min="2000"', 'max="2100"', "required"],
        "minimum": ['type="number"', 'min="0"', 'step="0.01"', 'placeholder="Optional"'],
        "rate": ['type="number"', 'step="any"', 'value="1.5"'],
        "separator": ['type="radio"'],
        "region": ["<select"],
        "first_day": ['type="date"'],
        "placed_before": ['type="datetime-local"', 'data-at=""'],
        "closes": ['type="time"'],
        "columns": ['type="checkbox"'],
        "tags": ["<textarea"],
        "contact": ['type="email"'],
        "website": ['type="url"'],
        "note": ["<textarea", 'rows="3"'],
        "with_vat": ['type="checkbox"'],
        "paid": ["<select"],
        "name": ['type="text"', 'maxlength="200"'],
    }.items():
        assert all(part in control(html, name) for part in expected), control(html, name)
    assert 'name="layout"' not in html
    assert not INLINE.search(html)


def test_labels_hints_and_defaults_are_those_of_the_fields(visitor: Client) -> None:
    html = text(visitor.get(ORDERS))

    assert re.search(r'<label class="label">Year of the sales<input[^>]*name="year"', html)
    assert re.search(r'<label class="label">First day<input[^>]*name="first_day"', html)
    assert '<p class="soft small" id="customer-hint">As on the invoice.</p>' in html
    assert 'aria-describedby="customer-hint"' in control(html, "customer")
    assert 'Include drafts<br><span class="soft small">They have no number yet.</span>' in html
    assert "One per line." in html
    assert (chosen(html, "separator"), chosen(html, "columns")) == (["comma"], ["id", "total"])
    assert '<label class="choice"><input type="radio" name="separator"' in html
    assert (chosen(html, "with_vat"), chosen(html, "drafts")) == (["true"], [])
    assert '<optgroup label="Europe"><option value="de">Germany</option>' in html
    assert '<option value="" selected>Not set</option><option value="true">Yes</option>' in html
    assert '<label class="label">File name<input' in html


def test_the_form_as_it_opens_starts_a_job_with_the_defaults(
    visitor: Client, alice: User, broker: Any
) -> None:
    response = post(visitor, ORDERS, FILLED)

    job = DownloadJob.objects.get()
    assert (response.status_code, response["Location"]) == (303, of(job))
    assert (job.owner, job.kind, job.name) == (alice, "sales-export", "Sales as CSV.csv")
    assert job.params == DEFAULTS


def test_every_value_reaches_the_job(visitor: Client, broker: Any) -> None:
    post(
        visitor,
        ORDERS,
        FILLED,
        minimum="12.50",
        rate="0.9",
        separator="tab",
        region="fr",
        placed_before="2026-02-03T04:05",
        closes="18:30",
        columns=["", "customer"],
        tags=" red \r\n\r\nblue",
        contact="a@example.org",
        website="https://example.org/",
        note="One.\r\nTwo.",
        with_vat="false",
        drafts=["false", "true"],
        paid="false",
        name="July",
    )

    job = DownloadJob.objects.get()
    assert job.name == "July.csv"
    assert job.params == DEFAULTS | {
        "minimum": "12.50",
        "rate": 0.9,
        "separator": "tab",
        "region": "fr",
        "placed_before": "2026-02-03T04:05:00Z",
        "closes": "18:30:00",
        "columns": ["customer"],
        "tags": ["red", "blue"],
        "contact": "a@example.org",
        "website": "https://example.org/",
        "note": "One.\r\nTwo.",
        "with_vat": False,
        "drafts": True,
        "paid": False,
    }


def test_a_time_is_in_the_zone_of_the_site_unless_it_says_another(
    visitor: Client, settings: Any, broker: Any
) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    for placed_before in ("2026-02-03T04:05", "2026-02-02T19:05:00.000Z"):
        post(visitor, ORDERS, FILLED, placed_before=placed_before)

    times = [datetime.fromisoformat(j.params["placed_before"]) for j in DownloadJob.objects.all()]
    assert times == [datetime(2026, 2, 2, 19, 5, tzinfo=UTC)] * 2
    html = refused_again = text(visitor.get(f"{ORDERS}?placed_before=2026-02-02T19:05:00.000Z"))
    assert 'value="2026-02-03T04:05"' in control(html, "placed_before")
    assert 'data-at="2026-02-03T04:05:00+09:00"' in refused_again
    assert "In Asia/Tokyo." in html


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"customer": " "}, {"customer": "This field is required."}),
        ({"year": ""}, {"year": "This field is required."}),
        ({"first_day": ""}, {"first_day": "This field is required."}),
        ({"year": "soon"}, {"year": "Enter a whole number."}),
        ({"year": "1999"}, {"year": "Enter 2000 or more."}),
        ({"minimum": "x"}, {"minimum": "Enter a number."}),
        ({"first_day": "soon"}, {"first_day": "Enter a date."}),
        ({"placed_before": "soon"}, {"placed_before": "Enter a date and time."}),
        ({"closes": "soon"}, {"closes": "Enter a time."}),
        ({"separator": "x"}, {"separator": "Choose one of the options."}),
        ({"columns": ["", "x"]}, {"columns": "Choose one of the options."}),
        ({"contact": "x"}, {"contact": "Enter a valid email address."}),
        (
            {"tags": "red\nultramarine blue"},
            {"tags": "Line 2: Use at most 12 characters."},
        ),
        (
            {"tags": "a\nb\nc\nd"},
            {"tags": "Use at most 3 values."},
        ),
        ({"name": "x" * 201}, {"name": "Use at most 200 characters."}),
        ({"runAt": "2099-01-01T06:00"}, {"runAt": "Choose a time within a year."}),
        ({"year": "2012"}, {"year": "There are no sales of 2012."}),
        ({"year": "2015"}, {"": "It is too wide."}),
        ({"rate": "101"}, {"rate": "Ensure this value is less than or equal to 100."}),
        ({"rate": "0"}, {"rate": "Use a rate that is not 0."}),
        ({"year": "2013"}, {"": "There are no sales of that year."}),
        ({"year": "2014"}, {"": "There is no layout for it."}),
        (
            {"customer": "", "year": "x", "runAt": "soon"},
            {
                "customer": "This field is required.",
                "year": "Enter a whole number.",
                "runAt": "Choose a date and time, or leave it empty.",
            },
        ),
    ],
)
def test_an_invalid_field_has_an_error(
    visitor: Client, changes: dict[str, Any], expected: dict[str, str]
) -> None:
    html = refused(visitor, ORDERS, FILLED, **changes)

    assert errors(html) == expected
    pointed = set(re.findall(r'aria-describedby="(\w+)-error[ "]', html))
    assert pointed == expected.keys() - {""}


def test_all_that_was_typed_is_kept(visitor: Client, alice: User) -> None:
    User.objects.update(email="alice@example.org")
    html = refused(
        visitor,
        ORDERS,
        FILLED,
        customer="",
        year="20x5",
        region="jp",
        separator="tab",
        first_day="2025-02-01",
        columns="",
        tags="red\r\nblue",
        note="<b>",
        with_vat="false",
        drafts=["false", "true"],
        paid="true",
        name="Ours & theirs",
        email=["false", "true"],
        runAt="2026-12-24T18:00",
    )

    assert 'value="20x5"' in control(html, "year")
    assert 'aria-invalid="true"' in control(html, "year")
    assert '<option value="jp" selected>' in html
    assert (chosen(html, "separator"), chosen(html, "columns")) == (["tab"], [])
    assert 'value="2025-02-01"' in control(html, "first_day")
    assert ">red\nblue</textarea>" in html
    assert "&lt;b&gt;</textarea>" in html
    assert (chosen(html, "with_vat"), chosen(html, "drafts")) == ([], ["true"])
    assert '<option value="true" selected>Yes</option>' in html
    assert 'value="Ours &amp; theirs"' in control(html, "name")
    assert chosen(html, "email") == ["true"]
    assert '<details class="more" open>' in html


def test_each_sort_of_choice_has_a_control(visitor: Client) -> None:
    readers = Group.objects.create(name="Readers")

    html = text(visitor.get(CHOICES))

    assert 'type="radio"' in control(html, "size")
    assert "<select" in control(html, "colour")  # too many for radio buttons
    assert '<option value="" selected>Choose…</option><option value="0">' in html
    assert 'type="radio"' in control(html, "shape")
    assert '<label class="check"><input type="radio" name="size"' in html  # nothing chosen yet
    assert "<select" in control(html, "mood")  # which may be empty
    assert '<option value="" selected>Not set</option><option value="good">' in html
    assert 'type="checkbox"' in control(html, "days")
    assert "multiple" in control(html, "parts")
    assert f'<option value="{readers.pk}">Readers</option>' in html
    assert 'type="checkbox"' in control(html, "groups")


def test_every_choice_reaches_the_job(visitor: Client, broker: Any) -> None:
    first, second = (Group.objects.create(name=name) for name in ("Readers", "Writers"))
    values = {"size": "l", "colour": "7", "shape": "round", "mood": "", "days": ["", "sa", "su"]}
    values |= {"parts": ["", "two"], "group": first.pk, "groups": ["", first.pk, second.pk]}

    post(visitor, CHOICES, values)

    assert DownloadJob.objects.get().params == {
        "size": "l",
        "colour": 7,
        "shape": "round",
        "mood": "",
        "days": ["sa", "su"],
        "parts": ["two"],
        "group": first.pk,
        "groups": [first.pk, second.pk],
    }


def test_choices_that_are_missing_are_required(visitor: Client) -> None:
    html = refused(visitor, CHOICES, {"days": ["", "su"], "mood": "bad", "parts": ["", "two"]})

    required = dict.fromkeys(["size", "colour", "shape", "group"], "This field is required.")
    assert errors(html) == required
    assert chosen(html, "days") == ["su"]
    assert '<option value="bad" selected>' in html
    assert '<option value="two" selected>' in html


def test_strict_fields_work_in_a_form(visitor: Client, broker: Any) -> None:
    post(
        visitor,
        STRICT,
        STRICT_FILLED,
        numbers="7\n 8 ",
        since="2026-11-23T06:00",
        name="July",
    )

    assert DownloadJob.objects.get().params == {
        "title": "July",
        "copies": 2,
        "numbers": [7, 8],
        "signed": True,
        "since": "2026-11-23T06:00:00Z",
        "name": "July",
    }


def test_a_box_that_is_not_ticked_is_false(visitor: Client, broker: Any) -> None:
    post(visitor, STRICT, {"title": "July", "copies": "", "signed": "false"})

    assert DownloadJob.objects.get().params == {"title": "July", "copies": 1, "signed": False}


def test_strict_fields_refuse_other_text(visitor: Client) -> None:
    html = refused(visitor, STRICT, {"title": "x" * 21, "copies": "1.5", "numbers": "7\nseven"})

    assert errors(html) == {
        "title": "Use at most 20 characters.",
        "copies": "Enter a whole number.",
        "numbers": "Line 2: Enter a whole number.",
    }


def test_a_blocked_address_is_an_error_at_its_field(visitor: Client) -> None:
    values = {"title": "", "copies": "1", "link": "http://10.0.0.1/"}
    response = post(visitor, STRICT, values)

    assert response.status_code == 422
    assert errors(text(response)) == {
        "link": "10.0.0.1 is not on the public internet.",
        "title": "This field is required.",
    }
    assert not DownloadJob.objects.exists()


def test_a_field_of_the_name_is_shown_once_with_its_own_label(visitor: Client) -> None:
    html = text(visitor.get(STRICT))

    assert html.count('name="name"') == 1
    assert "Title of the file<input" in html
    assert "File name" not in html


def test_a_kind_without_params_is_a_button(visitor: Client, broker: Any) -> None:
    html = text(visitor.get(PLAIN))

    assert 'name="name"' not in html
    assert post(visitor, PLAIN, {"runAt": ""}).status_code == 303
    job = DownloadJob.objects.get()
    assert (job.kind, job.params) == ("plain-export", {})


def test_a_second_click_is_the_same_job(visitor: Client, broker: Any) -> None:
    action = re.search(rf'action="({ORDERS}\?once=\w+)"', text(visitor.get(ORDERS)))
    assert action

    first, second = (post(visitor, action[1], FILLED) for _ in range(2))
    other = post(visitor, action[1], FILLED, year="2024")

    assert first["Location"] == second["Location"] != other["Location"]
    assert DownloadJob.objects.count() == 2


def test_a_limit_is_said_and_all_is_kept(visitor: Client, alice: User, settings: Any) -> None:
    settings.MAX_ACTIVE_JOBS = 1
    JobFactory(owner=alice)

    response = post(visitor, ORDERS, FILLED)

    assert response.status_code == 429
    assert "1 active downloads" in errors(text(response))[""]
    assert 'value="2025"' in control(text(response), "year")


def test_a_mail_and_a_start_can_be_asked_for(
    visitor: Client, alice: User, settings: Any, broker: Any
) -> None:
    User.objects.update(email="alice@example.org")
    settings.MAIL_IS_ON = True

    post(visitor, ORDERS, FILLED, email=["false", "true"], runAt="2026-12-24T18:00")
    post(visitor, ORDERS, FILLED)

    first, second = DownloadJob.objects.order_by("created_at")
    assert (first.email, second.email) == (True, False)
    assert first.run_at == datetime(2026, 12, 24, 18, tzinfo=UTC)


def test_kinds_with_a_form_are_on_the_start_page(visitor: Client, alice: User) -> None:
    start, empty_list = text(visitor.get("/")), text(visitor.get("/downloads"))

    assert f'<a href="{ORDERS}">' in start
    assert "<b>Sales as CSV</b><span>Your sales as a table for spreadsheets.</span>" in start
    assert "<b>Everything</b></a>" in start
    assert f'<a class="button" href="{ORDERS}">Sales as CSV</a>' in empty_list
    assert "new-sales-export" in forms_for(alice)


@pytest.mark.parametrize("name", ["nested-export", "hidden-export"])
def test_a_kind_may_have_no_form(visitor: Client, alice: User, name: str) -> None:
    assert visitor.get(f"/new/{name}").status_code == 404
    assert f"new-{name}" not in forms_for(alice)


def test_without_permission_there_is_no_card_and_no_form(visitor: Client, alice: User) -> None:
    assert "For staff" not in text(visitor.get("/"))
    assert visitor.get("/new/staff-export").status_code == 403
    assert visitor.post("/new/staff-export").status_code == 403

    User.objects.update(is_superuser=True)

    assert "For staff" in text(visitor.get("/"))
    assert visitor.get("/new/staff-export").status_code == 200


def test_typed_values_are_there_again_after_signing_in(alice: User) -> None:
    client, login = Client(headers=BROWSER), {"username": "alice", "password": "correct horse"}
    typed = FILLED | {"columns": "", "with_vat": "false", "tags": "red\r\nblue"}

    to_sign_in = client.post(ORDERS, typed)["Location"]
    next_page = client.get(to_sign_in).context["next"]
    html = text(client.get(client.post("/sign-in", login | {"next": next_page})["Location"]))

    assert to_sign_in.startswith(f"/sign-in?next={quote(ORDERS)}")
    assert 'value="Marsh &amp; Sons"' in control(html, "customer")
    assert (chosen(html, "columns"), chosen(html, "with_vat")) == ([], [])
    assert ">red\nblue</textarea>" in html
    assert not DownloadJob.objects.exists()


def test_a_link_can_fill_the_form_in(visitor: Client) -> None:
    html = text(visitor.get(f"{ORDERS}?year=2024&drafts=true"))

    assert 'value="2024"' in control(html, "year")
    assert (chosen(html, "drafts"), chosen(html, "with_vat")) == (["true"], ["true"])
    assert errors(html) == {}


def test_the_form_counts_in_the_rate_limit_of_requests(visitor: Client, settings: Any) -> None:
    settings.RATES = settings.RATES | {"initiate": ["owner:1/3600"]}

    statuses = [post(visitor, PLAIN, {}).status_code for _ in range(2)]

    assert statuses == [303, 429]
    assert visitor.get(PLAIN).status_code == 200


def test_a_form_without_csrf_token_is_refused(alice: User) -> None:
    client = Client(headers=BROWSER, enforce_csrf_checks=True)
    client.force_login(alice)

    assert client.post(ORDERS, FILLED).status_code == 403
    assert not DownloadJob.objects.exists()


def test_a_form_that_is_too_long_is_refused(visitor: Client) -> None:
    assert post(visitor, ORDERS, FILLED, note="x" * 40_000).status_code == 413


def test_a_form_without_the_mail_box_leaves_it_to_the_settings(
    visitor: Client, alice: User, broker: Any, settings: Any
) -> None:
    User.objects.update(email="alice@example.org")
    Preferences.objects.create(owner=alice, email=True)

    post(visitor, ORDERS, FILLED)

    assert DownloadJob.objects.get().email
