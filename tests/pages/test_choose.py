"""Choose files and create a zip of them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from jobs.kinds.bundle.kind import FilesBundle
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.web.serializers import request_of
from tests.factories import ArtifactFactory, StoredFileFactory, UploadJobFactory
from tests.pages.looks import BROWSER, NOT_FILES, numbers, of, text, ticked

TOMORROW = (timezone.now() + timedelta(days=1)).isoformat()


def test_only_usable_files_are_listed(visitor: Client, alice: User, bob: User) -> None:
    public, own = StoredFileFactory(), StoredFileFactory(owner=alice)
    StoredFileFactory(owner=bob)
    StoredFileFactory(expires_at=timezone.now() - timedelta(seconds=1))
    ArtifactFactory(owner=alice)

    assert numbers(visitor.get("/")) == [own.file_id, public.file_id]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"search": "REPORT"}, [80002, 80001]),
        ({"search": "80001"}, [80001]),
        ({"search": "report 100%"}, [80002]),
        ({"search": "nothing like it"}, []),
        ({"search": "po"}, []),  # two letters match the beginning of names only
        ({"search": "RE"}, [80002, 80001]),
        ({"search": "por"}, [80002, 80001]),
        ({"search": ".*"}, []),
        ({"type": "pdf"}, [80001]),
        ({"type": "picture", "search": "report"}, []),
        ({"type": "no such type"}, [80003, 80002, 80001]),
        ({"search": "9" * 300}, [80003, 80002, 80001]),
        ({"search": "999999999"}, []),
    ],
)
def test_files_are_found_by_name_number_and_type(
    visitor: Client, query: dict[str, str], found: list[int]
) -> None:
    StoredFileFactory(file_id=80001, name="report.pdf", content_type="application/pdf")
    StoredFileFactory(file_id=80002, name="Report 100%.txt")
    StoredFileFactory(file_id=80003, name="photo.jpg", content_type="image/jpeg")

    assert numbers(visitor.get("/", query)) == found


def test_paging_shows_every_file_and_returns(visitor: Client) -> None:
    for n in range(60):
        StoredFileFactory(file_id=80_000 + n)
    first = numbers(visitor.get("/"))
    second = numbers(visitor.get("/", {"before": first[-1]}))
    third = numbers(visitor.get("/", {"before": second[-1]}))

    assert first + second + third == list(range(80_059, 79_999, -1))
    assert numbers(visitor.get("/", {"after": third[0]})) == second
    assert numbers(visitor.get("/", {"after": second[0]})) == first
    assert numbers(visitor.get("/", {"before": 10_000})) == first


@pytest.mark.parametrize("dirt", NOT_FILES)
def test_invalid_parameters_in_the_url_are_ignored(visitor: Client, dirt: str) -> None:
    StoredFileFactory(file_id=80_000)

    for name in ("file", "before", "after", "search", "type", "name"):
        assert visitor.get("/", {name: dirt}).status_code == 200, name


def test_ticks_survive_a_search(visitor: Client, bob: User) -> None:
    here, there = StoredFileFactory(name="here.txt"), StoredFileFactory(name="there.txt")
    foreign = StoredFileFactory(owner=bob, name="secret.txt")
    query = {
        "file": [f.file_id for f in (here, there, foreign)],
        "search": "here.txt",
        "name": "My",
    }

    response = visitor.get("/", query)

    assert numbers(response) == [there.file_id, here.file_id]  # "there.txt" contains it, too
    assert ticked(response) == {here.file_id, there.file_id}
    assert ticked(visitor.get("/", query | {"search": "x"})) == {here.file_id, there.file_id}
    assert "secret.txt" not in text(response)
    assert 'value="My"' in text(response)


def test_a_search_by_script_returns_only_the_table(visitor: Client) -> None:
    StoredFileFactory(file_id=80_000, name="photo.jpg", content_type="image/jpeg")
    query = {"type": "picture", "search": "photo"}

    html = text(visitor.get("/", query, headers={"HX-Request": "true"}))

    assert html.startswith('<div id="found">')
    assert "photo.jpg" in html
    assert re.search(r'id="type-picture"[^>]* aria-pressed="true"', html)
    assert "1 file shown" in html
    assert "<aside" not in html


def test_many_ticks_survive_a_search_without_scripts(
    visitor: Client,
) -> None:
    files = [file.file_id for file in StoredFileFactory.create_batch(300)]

    few, many = visitor.get("/", {"file": files[:100]}), visitor.post("/", {"file": files})

    assert '<form class="sides" method="get"' in text(few)
    assert '<form class="sides" method="post"' in text(many)
    assert ticked(many) == set(files)
    assert not DownloadJob.objects.exists()


def test_the_number_of_queries_does_not_depend_on_the_files(
    visitor: Client, django_assert_max_num_queries: Any
) -> None:
    files = StoredFileFactory.create_batch(40)

    with django_assert_max_num_queries(6):
        visitor.get("/", {"file": [file.file_id for file in files]})


def test_the_chosen_files_become_a_job(visitor: Client, alice: User, broker: Any) -> None:
    form_data = {"file": ["80001", "80000", "80001"], "name": " Holiday ", "search": "left over"}

    response = visitor.post("/downloads", form_data)

    job = DownloadJob.objects.get()
    assert response.status_code == 303
    assert response["Location"] == of(job)
    assert job.owner == alice
    assert job.params == {"file_ids": [80001, 80000]}
    assert job.name == "Holiday.zip"
    assert visitor.get(response["Location"]).status_code == 200


def test_one_file_is_downloaded_as_it_is(visitor: Client) -> None:
    StoredFileFactory(file_id=80_000)

    response = visitor.post("/downloads", {"file": ["80000", "80000"], "email": "true"})

    assert (response.status_code, response["Location"]) == (303, "/files/80000/content")
    assert not DownloadJob.objects.exists()


@pytest.mark.parametrize("more", [{"name": "Mine"}, {"runAt": TOMORROW}])
def test_one_file_with_a_name_or_a_later_start_is_a_zip(
    visitor: Client, broker: Any, more: dict[str, str]
) -> None:
    StoredFileFactory(file_id=80_000)

    response = visitor.post("/downloads", {"file": "80000"} | more)

    assert (response.status_code, response["Location"]) == (303, of(DownloadJob.objects.get()))


def test_one_file_of_another_user_is_refused(visitor: Client, bob: User) -> None:
    StoredFileFactory(file_id=80_000, owner=bob)

    assert "does not exist. Choose again." in text(refused(visitor, {"file": "80000"}))


def test_a_zip_without_a_name_is_named_by_what_is_inside(visitor: Client, broker: Any) -> None:
    for number, name in enumerate(["report.pdf", "a.txt", "b.txt"], start=80_000):
        StoredFileFactory(file_id=number, name=name)

    visitor.post("/downloads", {"file": ["80000", "80001", "80000", "80002"]})

    assert DownloadJob.objects.get().name == "report.pdf and 2 more.zip"


def test_a_zip_of_one_is_named_like_its_file(visitor: Client, broker: Any) -> None:
    StoredFileFactory(file_id=80_000, name="report.pdf")

    visitor.post("/downloads", {"file": "80000", "runAt": TOMORROW})

    assert DownloadJob.objects.get().name == "report.zip"


def test_the_name_tells_nothing_about_files_of_others(
    visitor: Client, broker: Any, bob: User
) -> None:
    StoredFileFactory(file_id=80_000, name="secret.pdf", owner=bob)
    StoredFileFactory(file_id=80_001)

    visitor.post("/downloads", {"file": ["80000", "80001"]})

    assert DownloadJob.objects.get().name == "2 files.zip"


@pytest.mark.parametrize(
    ("whose", "found"),
    [("", [80_003, 80_001, 80_000]), ("shared", [80_003, 80_000]), ("mine", [80_001])],
)
def test_the_tabs_show_shared_files_and_own_ones(
    visitor: Client, alice: User, bob: User, whose: str, found: list[int]
) -> None:
    group, other = Group.objects.create(name="team"), Group.objects.create(name="others")
    alice.groups.add(group)
    StoredFileFactory(file_id=80_000)
    StoredFileFactory(file_id=80_001, owner=alice)
    StoredFileFactory(file_id=80_002, owner=bob)
    StoredFileFactory(file_id=80_003, group=group)
    StoredFileFactory(file_id=80_004, group=other)

    response = visitor.get("/", {"whose": whose})

    assert numbers(response) == found
    assert re.search(f'id="whose-{whose}"[^>]*aria-pressed="true"', text(response))


def test_an_unknown_tab_shows_all(visitor: Client) -> None:
    file = StoredFileFactory()

    assert numbers(visitor.get("/", {"whose": "everything"})) == [file.file_id]


def test_previews_are_folded_under_their_file(visitor: Client, alice: User) -> None:
    job = UploadJobFactory(owner=alice, status=Status.COMPLETED)
    job.artifact.made_by = job
    job.artifact.save()
    preview = job.files.get(role="large").file_id

    folded, opened = visitor.get("/"), visitor.get("/", {"file": preview})

    assert text(folded).count('name="file"') == 4
    assert text(folded).count("<tr>") == 2  # with the header
    assert '<details class="more small"><summary>3 previews' in text(folded)
    assert '<details class="more small" open><summary>3 previews' in text(opened)
    assert ticked(opened) == {preview}
    assert text(opened).count(f'value="{preview}"') == 1


def refused(visitor: Client, form_data: dict[str, Any]) -> HttpResponse:
    """Submit, and assert that no job was created. Returns the page with the error."""
    response = visitor.post("/downloads", form_data)

    assert response.status_code == 400
    assert not DownloadJob.objects.exists()
    return response


def test_no_file_is_refused(visitor: Client) -> None:
    assert "Choose at least one file." in text(refused(visitor, {"name": "x"}))


@pytest.mark.parametrize("dirt", NOT_FILES)
def test_an_invalid_file_id_is_refused_and_the_ticks_stay(visitor: Client, dirt: str) -> None:
    file = StoredFileFactory(file_id=80_000)

    response = refused(visitor, {"file": ["80000", dirt], "name": "Mine"})

    assert "does not exist. Choose again." in text(response)
    assert ticked(response) == {file.file_id}
    assert 'value="Mine"' in text(response)


@pytest.mark.parametrize("name", ["x" * 201, "a\x00b"])
def test_an_invalid_name_has_an_error_at_its_field(visitor: Client, name: str) -> None:
    StoredFileFactory(file_id=80_000)

    response = refused(visitor, {"file": "80000", "name": name})

    assert 'id="name-error"' in text(response)
    assert ticked(response) == {80_000}


def test_more_files_than_allowed_are_refused(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_of(FilesBundle), "_declared_fields", small_bundles())

    assert "Choose at most" in text(refused(visitor, {"file": ["80000", "80001", "80002"]}))


def small_bundles() -> dict[str, Any]:
    from rest_framework import serializers

    from jobs.web.serializers import FileIdField

    fields = dict(request_of(FilesBundle)._declared_fields)
    fields["file_ids"] = serializers.ListField(child=FileIdField(), allow_empty=False, max_length=2)
    return fields


def test_too_many_form_fields_are_reported_on_a_page(visitor: Client) -> None:
    form = "&".join(f"file={80_000 + n}" for n in range(1_500))
    response = visitor.post("/downloads", form, "application/x-www-form-urlencoded")

    assert response.status_code == 400
    assert "text/html" in response["Content-Type"]
    assert not DownloadJob.objects.exists()


def test_a_form_without_a_csrf_token_is_refused(alice: User) -> None:
    client = Client(enforce_csrf_checks=True, headers=BROWSER)
    client.force_login(alice)

    response = client.post("/downloads", {"file": "80000"})

    assert response.status_code == 403
    assert "Nothing was changed." in text(response)
    assert 'href="/?file=80000">Go back' in text(response)
    assert not DownloadJob.objects.exists()


def test_the_buttons_csrf_token_is_used(alice: User, broker: Any) -> None:
    client = Client(enforce_csrf_checks=True, headers=BROWSER)
    client.force_login(alice)
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)" data-make', text(client.get("/")))
    assert found

    response = client.post(
        "/downloads", {"file": ["80000", "80001"], "csrfmiddlewaretoken": found[1]}
    )

    assert response.status_code == 303


@pytest.mark.parametrize(
    ("name", "tile"),
    [
        ("a.jpg", "JPG"),
        ("events.ndjson", "JSON"),
        ("rows.jsonl", "JSON"),
        ("rows.parquet", '<svg class="icon" aria-hidden="true"><use href="#file"/></svg>'),
        ("README", '<svg class="icon" aria-hidden="true"><use href="#file"/></svg>'),
    ],
)
def test_each_file_has_a_tile(visitor: Client, name: str, tile: str) -> None:
    StoredFileFactory(file_id=70_900, name=name)

    html = text(visitor.get("/", {"search": "70900"}))

    assert f'<i class="type" aria-hidden="true">{tile}</i>' in html
