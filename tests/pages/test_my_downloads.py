"""The list of a user's downloads."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import DownloadJob, newest
from jobs.states import FINAL, Status
from tests.factories import JobFactory, RemoteJobFactory
from tests.pages.looks import names, text


def test_the_list_has_active_jobs_first_then_the_newest(
    visitor: Client, alice: User, bob: User
) -> None:
    now = timezone.now()
    for age, (name, status) in enumerate(
        [("new", Status.FAILED), ("running", Status.PROCESSING), ("old", Status.COMPLETED)]
    ):
        job = JobFactory(owner=alice, name=name, status=status)
        DownloadJob.objects.filter(pk=job.pk).update(created_at=now - timedelta(minutes=age))
    JobFactory(owner=bob, name="foreign")

    assert names(visitor.get("/downloads")) == ["running", "new", "old"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "active"}, {"queued", "processing"}),
        ({"status": "completed"}, {"completed"}),
        ({"status": "failed"}, {"failed"}),
        ({"status": "ended"}, {"cancelled", "expired", "link"}),
        ({"kind": "bundle", "search": "FAIL"}, {"failed"}),
        ({"kind": "remote"}, {"link"}),
        ({"kind": "bundle"}, set(Status)),
        ({"search": "no such name"}, set()),
        (
            {"status": "nonsense", "kind": "nonsense", "before": "x", "after": "y"},
            {*Status, "link"},
        ),
    ],
)
def test_the_list_is_filtered(
    visitor: Client, alice: User, query: dict[str, str], found: set[str]
) -> None:
    for status in Status:
        JobFactory(owner=alice, name=status.value, status=status)
    RemoteJobFactory(owner=alice, name="link", status=Status.CANCELLED)

    response = visitor.get("/downloads", query)

    assert response.status_code == 200
    assert set(names(response)) == found


def test_a_download_is_found_by_the_beginning_of_its_id(visitor: Client, alice: User) -> None:
    JobFactory(owner=alice)
    searched = JobFactory(owner=alice, name="this one")

    assert names(visitor.get("/downloads", {"search": str(searched.pk)[:13]})) == ["this one"]


def test_text_like_an_id_is_searched_in_names_too(visitor: Client, alice: User, bob: User) -> None:
    foreign = JobFactory(owner=bob, name="foreign")
    JobFactory(owner=alice, name="scans 20261122.zip")
    JobFactory(owner=alice, name=f"copy of {foreign.pk}.zip")

    assert names(visitor.get("/downloads", {"search": "20261122"})) == ["scans 20261122.zip"]
    found = names(visitor.get("/downloads", {"search": str(foreign.pk)}))
    assert found == [f"copy of {foreign.pk}.zip"]


def test_names_are_searched_in_the_newest_and_ids_in_all(
    visitor: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest, "SEARCHED", 2)
    now = timezone.now()
    for days, name in [(1, "new.zip"), (0, "newer.zip")]:
        JobFactory(owner=alice, name=name, created_at=now - timedelta(days=days))
    old = JobFactory(owner=alice, name="old.zip", created_at=now - timedelta(days=2))

    assert names(visitor.get("/downloads", {"search": ".zip"})) == ["newer.zip", "new.zip"]
    assert names(visitor.get("/downloads", {"kind": "bundle"})) == ["newer.zip", "new.zip"]
    assert names(visitor.get("/downloads", {"search": old.pk.hex})) == ["old.zip"]


def test_paging_shows_every_download_and_returns(visitor: Client, alice: User) -> None:
    at = timezone.now()
    for n in range(60):
        status = sorted(FINAL)[n % 4]  # each state has a query of its own
        job = JobFactory(owner=alice, name=f"{n}", status=status)
        # Six with the same time, so that only the id distinguishes them.
        DownloadJob.objects.filter(pk=job.pk).update(created_at=at - timedelta(hours=n // 6))

    first = visitor.get("/downloads")
    second = visitor.get("/downloads" + link(first, "Older"))
    third = visitor.get("/downloads" + link(second, "Older"))

    assert len({*names(first), *names(second), *names(third)}) == 60
    assert not link(third, "Older")
    assert names(visitor.get("/downloads" + link(third, "Newer"))) == names(second)
    assert names(visitor.get("/downloads" + link(second, "Newer"))) == names(first)


def link(response: Any, word: str) -> str:
    found = re.search(rf'href="(\?[^"]*)">{word}</a>', text(response))
    return found[1].replace("&amp;", "&") if found else ""


def test_a_foreign_cursor_is_no_error(visitor: Client, bob: User) -> None:
    foreign = JobFactory(owner=bob)

    assert visitor.get("/downloads", {"before": str(foreign.pk)}).status_code == 200


def test_every_active_download_can_be_reached(visitor: Client, alice: User) -> None:
    JobFactory.create_batch(30, owner=alice)

    assert len(names(visitor.get("/downloads"))) == 25
    assert "Show all in progress" in text(visitor.get("/downloads"))
    first = visitor.get("/downloads", {"status": "active"})
    second = visitor.get("/downloads" + link(first, "Older"))
    assert len({*re.findall(r'id="job-([^"]+)"', text(first) + text(second))}) == 30


def test_the_number_of_queries_does_not_depend_on_the_list(
    visitor: Client, alice: User, django_assert_max_num_queries: Any
) -> None:
    for status in list(Status) * 4:
        JobFactory(owner=alice, status=status)

    with django_assert_max_num_queries(8):  # two of them for the kind's speed, which is cached
        visitor.get("/downloads")


def test_the_empty_list_links_to_the_forms(visitor: Client) -> None:
    html = text(visitor.get("/downloads"))

    assert "No downloads yet" in html
    assert '<a class="button primary" href="/">' in html
    assert '<a class="button" href="/link">' in html


def test_a_row_shows_its_kind(visitor: Client, alice: User) -> None:
    JobFactory(owner=alice)
    RemoteJobFactory(owner=alice)

    html = text(visitor.get("/downloads"))

    assert "<span>Zip</span>" in html
    assert "<span>Link</span>" in html
    assert "in about" not in html  # the link's size is unknown
