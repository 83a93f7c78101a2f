"""The share panel on the page of a download, and what others see at that page. No scripts."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from jobs.models import DownloadJob, LinkState, ShareLink
from jobs.states import Status
from tests.factories import JobFactory, UserFactory
from tests.pages.looks import BROWSER, of, text


@pytest.fixture
def job(alice: User) -> DownloadJob:
    job: DownloadJob = JobFactory(owner=alice, status=Status.COMPLETED, name="plans.zip")
    return job


def share(visitor: Client, job: DownloadJob, **form: Any) -> Any:
    return visitor.post(of(job, "share-job"), form)


def test_a_new_link_is_shown_with_its_limits(visitor: Client, job: DownloadJob) -> None:
    response = share(visitor, job, period="week", downloads="3", password="secret 1")

    link = ShareLink.objects.get()
    assert response["Location"] == f"{of(job)}#share"
    shown = text(visitor.get(of(job)))
    assert re.search(r'<code id="link-1">http://testserver/s/[\w-]{44}</code>', shown)
    for fact in ("Works", "0 of 3 downloads", "password", "until "):
        assert f"<span>{fact}" in shown
    assert link.expires_at
    assert "secret 1" not in shown


def test_revoking_a_link_ends_it(visitor: Client, job: DownloadJob) -> None:
    share(visitor, job)
    link = ShareLink.objects.get()

    response = visitor.post(f"/downloads/shares/{link.pk}/revoke", follow=True)

    assert ShareLink.objects.get().state == LinkState.REVOKED
    assert "<span>Revoked</span>" in text(response)
    assert "Link revoked" in text(response)
    assert "/s/" not in text(response)


def test_copy_link_makes_one_link_for_all_uses(visitor: Client, job: DownloadJob) -> None:
    share(visitor, job, password="limited")
    page = text(visitor.get(of(job)))
    assert "<span>Copy link</span>" in page

    urls = {
        visitor.post(of(job, "share-job"), {"plain": "1"}, headers={"Accept": accept}).json()["url"]
        for accept in ("application/json", "application/json")
    }

    assert len(urls) == 1
    assert ShareLink.objects.filter(password="").count() == 1
    without_scripts = visitor.post(of(job, "share-job"), {"plain": "1"})
    assert without_scripts["Location"] == f"{of(job)}#share"
    assert ShareLink.objects.count() == 2


@pytest.mark.parametrize("status", [Status.QUEUED, Status.FAILED, Status.EXPIRED])
def test_without_a_file_only_the_address_is_copied(
    visitor: Client, alice: User, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)

    page = text(visitor.get(of(job)))

    assert "<span>Copy address</span>" in page
    assert "New link…" not in page
    assert "no file to share" in text(visitor.post(of(job, "share-job"), follow=True))


@pytest.mark.parametrize("form", [{"downloads": "0"}, {"downloads": "x"}, {"period": "year"}])
def test_a_form_with_errors_makes_no_link(
    visitor: Client, job: DownloadJob, form: dict[str, str]
) -> None:
    shown = visitor.post(of(job, "share-job"), form, follow=True)

    assert "No link was made." in text(shown)
    assert not ShareLink.objects.exists()


def test_the_panel_appears_when_the_download_is_ready(visitor: Client, job: DownloadJob) -> None:
    polled = visitor.get(of(job, "job-state"), headers={"HX-Request": "true"})

    assert "New link…" in text(polled)
    assert "<span>Copy link</span>" in text(polled)


# Others at the owner's address


def test_another_user_is_offered_another_account(job: DownloadJob, bob: User) -> None:
    client = Client(headers=BROWSER)
    client.force_login(bob)

    page = client.get(of(job))

    assert page.status_code == 403
    assert "<h1>This belongs to another account</h1>" in text(page)
    assert "plans.zip" not in text(page)
    assert "alice" not in text(page)
    (sign_in,) = re.findall(r'name="next" value="([^"]+)"', text(page))
    signed_out = client.post("/sign-out", {"next": sign_in})
    login = {"username": "alice", "password": "correct horse"}
    form = client.get(signed_out["Location"])
    back = client.post("/sign-in", login | {"next": form.context["next"]})
    assert back["Location"] == of(job)


def test_hidden_jobs_look_the_same_as_unknown_ones(
    job: DownloadJob, bob: User, settings: Any
) -> None:
    settings.HIDE_FOREIGN_JOBS = True
    client = Client(headers=BROWSER)
    client.force_login(bob)
    unknown = f"/downloads/{uuid4()}"

    pages = [client.get(path) for path in (of(job), unknown)]

    assert [page.status_code for page in pages] == [404, 404]
    changing = re.compile(r"/downloads/[0-9a-f-]{36}|%2Fdownloads%2F[0-9a-f-]{36}|value=\"\w{64}\"")
    plain = [re.sub(r'nonce="[^"]*"', "", changing.sub("", text(page))) for page in pages]
    assert plain[0] == plain[1]
    assert "Sign in with another account" in plain[0]


def test_staff_land_in_the_admin(job: DownloadJob, operator: User) -> None:
    viewer, blind = UserFactory(is_staff=True), UserFactory(is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_downloadjob"))
    for user in (operator, viewer):
        client = Client(headers=BROWSER)
        client.force_login(user)
        response = client.get(of(job))
        assert response["Location"] == f"/admin/jobs/downloadjob/{job.pk}/change/"
        assert client.get(response["Location"]).status_code == 200
    client.force_login(blind)
    assert client.get(of(job)).status_code == 403


def test_programs_get_the_same_errors_as_before(job: DownloadJob, bob: User) -> None:
    client = Client(headers={"Accept": "application/json"})
    client.force_login(bob)

    assert client.get(f"/v1/download/{job.pk}").json()["code"] == "permission_denied"
    assert client.get(of(job)).json()["code"] == "permission_denied"


def test_another_user_makes_and_revokes_no_link(
    visitor: Client, job: DownloadJob, bob: User
) -> None:
    share(visitor, job)
    link = ShareLink.objects.get()
    client = Client(headers=BROWSER)
    client.force_login(bob)

    assert client.post(of(job, "share-job")).status_code == 403
    assert client.post(f"/downloads/shares/{link.pk}/revoke").status_code == 404
    assert ShareLink.objects.get().state == LinkState.ACTIVE
