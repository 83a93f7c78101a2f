"""Sign-in, and rules for all pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from jobs.models import DownloadJob
from jobs.states import Status
from jobs.web import error_handlers
from jobs.web.middleware import PRIVATE
from jobs.web.problems import PROBLEM
from tests.factories import JobFactory, RemoteJobFactory, StoredFileFactory, UploadJobFactory
from tests.pages.looks import BROWSER, INLINE, of, text, ticked


@pytest.mark.parametrize(
    "path",
    ["/", "/link", "/upload", "/reports", "/settings", "/downloads", f"/downloads/{UUID(int=1)}"],
)
@pytest.mark.django_db
def test_pages_redirect_to_sign_in(path: str) -> None:
    response = Client(headers=BROWSER).get(path)

    assert response.status_code == 302
    assert response["Location"] == f"/sign-in?next={path}"


@pytest.mark.django_db
def test_a_form_after_sign_out_changes_nothing_and_returns() -> None:
    job = JobFactory()

    assert Client().post(of(job, "job-cancel"))["Location"] == f"/sign-in?next={of(job)}"

    assert DownloadJob.objects.get().status == Status.QUEUED


def test_a_selection_survives_sign_in(alice: User) -> None:
    StoredFileFactory.create(file_id=80_000)
    client, login = Client(), {"username": "alice", "password": "correct horse"}
    form_data = {"file": ["80000"], "name": "Ours & theirs", "csrfmiddlewaretoken": "x"}

    to_sign_in = client.post("/downloads", form_data)["Location"]
    form = client.get(to_sign_in)
    back = client.post("/sign-in", login | {"next": form.context["next"]})["Location"]

    response = client.get(back)
    assert ticked(response) == {80_000}
    assert 'value="Ours &amp; theirs"' in text(response)
    assert "csrf" not in back
    assert not DownloadJob.objects.exists()


@pytest.mark.django_db
def test_a_selection_too_long_for_a_url_is_no_error() -> None:
    form = "&".join(f"file={80_000 + n}" for n in range(900))
    response = Client().post("/downloads", form, "application/x-www-form-urlencoded")

    assert response["Location"] == "/sign-in?next=/"


@pytest.mark.parametrize("name", ["job-row", "job-state"])
@pytest.mark.django_db
def test_a_poll_after_sign_out_is_refused(name: str) -> None:
    response = Client().get(of(JobFactory(), name), headers={"HX-Request": "true"})

    assert response.status_code == 401
    assert not response.content  # in particular, no sign-in form replaces a row


def test_signing_in_redirects_to_the_requested_page(alice: User) -> None:
    client = Client(headers=BROWSER)
    login = {"username": "alice", "password": "correct horse", "next": "/downloads"}

    assert client.post("/sign-in", login)["Location"] == "/downloads"
    assert client.get("/sign-in")["Location"] == "/"
    assert client.post("/sign-out")["Location"] == "/sign-in"
    assert client.get("/downloads").status_code == 302


@pytest.mark.django_db
def test_the_sign_in_page_says_how_to_create_the_first_account() -> None:
    assert "createsuperuser" in text(Client().get("/sign-in"))

    User.objects.create_superuser("olga", password="correct horse")

    assert "createsuperuser" not in text(Client().get("/sign-in"))


def test_signing_in_never_leads_to_another_site(alice: User) -> None:
    login = {"username": "alice", "password": "correct horse", "next": "https://evil.example/"}

    assert Client().post("/sign-in", login)["Location"] == "/"


@pytest.mark.parametrize(
    "given", [{}, {"username": "alice", "password": "x"}, {"username": "a\x00"}]
)
def test_a_wrong_password_stays_on_the_page(alice: User, given: dict[str, str]) -> None:
    client = Client()

    response = client.post("/sign-in", given)

    assert response.status_code == 200
    assert "_auth_user_id" not in client.session


def test_no_page_has_inline_scripts_or_styles(visitor: Client, alice: User) -> None:
    StoredFileFactory(file_id=80_000)
    makers = (JobFactory, RemoteJobFactory, UploadJobFactory)
    jobs = [make(owner=alice, status=s) for make in makers for s in Status]
    paths = [
        "/",
        "/?search=x",
        "/link",
        "/upload",
        "/reports",
        "/settings",
        "/downloads",
        "/downloads?search=x",
        "/files/80000",
        "/nowhere",
        *map(of, jobs),
    ]

    for path in paths:
        assert not INLINE.search(text(visitor.get(path))), path
    assert not INLINE.search(text(Client().get("/sign-in")))


def test_pages_are_not_cached(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice)

    paths = ["/", "/link", "/upload", "/reports", "/settings", "/downloads", "/nowhere"]
    for path in [*paths, of(job), of(job, "job-state")]:
        assert visitor.get(path)["Cache-Control"] == PRIVATE, path


@pytest.mark.parametrize(
    ("path", "accept", "content_type"),
    [
        ("/nowhere", BROWSER["Accept"], "text/html; charset=utf-8"),
        ("/nowhere", "*/*", PROBLEM),
        ("/nowhere", "application/json", PROBLEM),
        ("/nowhere", "complete/nonsense;;q=x", PROBLEM),
        ("/v1/nowhere", BROWSER["Accept"], PROBLEM),
    ],
)
def test_errors_are_pages_for_browsers_and_problems_for_programs(
    path: str, accept: str, content_type: str
) -> None:
    response = Client().get(path, headers={"Accept": accept})

    assert response.status_code == 404
    assert response["Content-Type"] == content_type


Handler = Callable[..., Any]


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (error_handlers.bad_request, 400),
        (error_handlers.permission_denied, 403),
        (error_handlers.page_not_found, 404),
        (error_handlers.server_error, 500),
    ],
)
def test_error_pages_need_neither_database_nor_session(handler: Handler, status: int) -> None:
    # Without the database mark a query would fail. The request has no user, messages or session.
    request = RequestFactory().get("/somewhere", headers=BROWSER)

    response = handler(request) if status == 500 else handler(request, Exception("secret"))

    assert response.status_code == status
    assert "<h1>" in text(response)
    assert "secret" not in text(response)


def test_a_bug_shows_an_error_page_without_details(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("jobs.web.pages.form_submit.submit_job", bug)
    visitor.raise_request_exception = False

    response = visitor.post("/downloads", {"file": ["80000", "80001"]})

    assert response.status_code == 500
    assert "Something went wrong on our side." in text(response)
    assert "secret" not in text(response)


def test_the_chosen_theme_is_kept(visitor: Client) -> None:
    page = "http://testserver/downloads?status=failed"

    response = visitor.post("/theme", {"theme": "dark"}, headers={"Referer": page})

    assert (response.status_code, response["Location"]) == (303, page)
    assert '<html lang="en" data-theme="dark">' in text(visitor.get("/"))
    visitor.post("/theme", {"theme": "auto"})
    assert '<html lang="en">' in text(visitor.get("/"))


@pytest.mark.parametrize("theme", ["", "neon", '"><script>'])
def test_unknown_themes_are_ignored(visitor: Client, theme: str) -> None:
    other = "https://evil.example/"

    response = visitor.post("/theme", {"theme": theme}, headers={"Referer": other})

    assert response["Location"] == "/downloads"
    assert not response.cookies
    visitor.cookies["theme"] = theme
    assert '<html lang="en">' in text(visitor.get("/"))
