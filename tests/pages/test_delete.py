"""Delete downloads from the list and from their page, without scripts, and undo it."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Deletion, DownloadJob
from jobs.states import Status
from tests.factories import JobFactory
from tests.pages.looks import BROWSER, names, of, text

URL = "/downloads/delete"


def job_of(owner: User, name: str, status: Status = Status.FAILED) -> DownloadJob:
    job: DownloadJob = JobFactory(owner=owner, name=name, status=status)
    return job


def test_selected_downloads_are_deleted_and_restored(visitor: Client, alice: User) -> None:
    jobs = [job_of(alice, name) for name in ("one", "two", "three")]

    response = visitor.post(URL, {"job": [job.pk for job in jobs[:2]], "which": "selected"})

    assert response.status_code == 303
    shown = visitor.get(response["Location"])
    assert names(shown) == ["three"]
    assert "Deleted 2 downloads." in text(shown)
    (undo,) = re.findall(r'action="(/downloads/deletions/[^"]+/undo)"', text(shown))
    restored = visitor.post(undo, follow=True)
    assert "Restored 2 downloads." in text(restored)
    assert len(names(restored)) == 3


def test_only_finished_downloads_have_a_box(visitor: Client, alice: User) -> None:
    active, finished = job_of(alice, "active", Status.QUEUED), job_of(alice, "finished")

    shown = text(visitor.get("/downloads"))

    assert f'type="checkbox" name="job" value="{finished.pk}"' in shown
    assert f'value="{active.pk}"' not in shown
    assert 'aria-label="Select finished"' in shown
    assert "Delete all expired" not in shown


def test_all_expired_downloads_are_deleted(visitor: Client, alice: User) -> None:
    for number in range(30):  # more than a page
        job_of(alice, f"old {number}", Status.EXPIRED)
    job_of(alice, "kept")
    assert "Delete all expired" in text(visitor.get("/downloads"))

    shown = visitor.post(URL, {"which": "expired"}, follow=True)

    assert names(shown) == ["kept"]
    assert "Deleted 30 downloads." in text(shown)


def test_the_page_of_a_finished_download_deletes_it(visitor: Client, alice: User) -> None:
    job, active = job_of(alice, "done"), job_of(alice, "active", Status.QUEUED)
    assert URL in text(visitor.get(of(job)))
    assert URL not in text(visitor.get(of(active)))

    shown = visitor.post(URL, {"job": job.pk}, follow=True)

    assert "Deleted 1 download." in text(shown)
    assert visitor.get(of(job)).status_code == 404


def test_the_list_says_what_was_not_deleted(visitor: Client, alice: User, bob: User) -> None:
    ids = [job_of(alice, "a", Status.QUEUED).pk, job_of(bob, "b").pk, uuid4(), "nonsense"]

    shown = visitor.post(URL, {"job": ids}, follow=True)

    assert (
        "Not deleted: 1 download in progress; cancel it first, 2 downloads deleted already."
        in text(shown)
    )
    assert "Select downloads first" in text(visitor.post(URL, follow=True))
    assert not Deletion.objects.exists()


def test_a_late_undo_says_so(visitor: Client, alice: User) -> None:
    url = visitor.post(URL, {"job": job_of(alice, "a").pk})["Location"]
    Deletion.objects.update(created_at=timezone.now() - timedelta(minutes=1))

    assert "Undo" not in text(visitor.get(url))
    late = visitor.post(f"/downloads/deletions/{Deletion.objects.get().pk}/undo", follow=True)
    assert "too late" in text(late)


def test_the_list_keeps_its_filters(visitor: Client, alice: User) -> None:
    job = job_of(alice, "a")
    query = "status=failed&search=a%26b&next=//evil.example"

    location = visitor.post(URL, {"job": job.pk, "query": query})["Location"]

    deletion = Deletion.objects.get()
    assert location == f"/downloads?search=a%26b&status=failed&deleted={deletion.pk}"


def test_another_user_sees_and_undoes_nothing(visitor: Client, alice: User, bob: User) -> None:
    url = visitor.post(URL, {"job": job_of(alice, "a").pk})["Location"]
    other = Client(headers=BROWSER)
    other.force_login(bob)

    assert "Undo" not in text(other.get(url))
    undo = f"/downloads/deletions/{Deletion.objects.get().pk}/undo"
    assert "too late" in text(other.post(undo, follow=True))
    assert DownloadJob.objects.exclude(deletion=None).exists()


@pytest.mark.django_db
def test_anonymous_visitors_are_sent_to_sign_in() -> None:
    for path in (URL, f"/downloads/deletions/{uuid4()}/undo"):
        response = Client(headers=BROWSER).post(path)
        assert response["Location"].startswith("/sign-in?next=")
