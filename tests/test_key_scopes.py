"""What an API key may do at every address.

The addresses are read from urls.py: one that is new must be added to SCOPES, with the scope that
each of its methods needs.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import ApiKey, DownloadJob, KeyScope
from jobs.web.key_authentication import required_scope
from jobs.web.openapi.document import openapi_document
from tests.factories import JobFactory, StoredFileFactory, make_key
from tests.routes import routes
from tests.test_strangers import everything

pytestmark = pytest.mark.usefixtures("bucket", "broker")

READ, START, UPLOAD, ADMIN = KeyScope.values
# By path, without the ids; other methods are not allowed there.
SCOPES: dict[str, dict[str, str | None]] = {
    "admin/retry/": {"POST": ADMIN},
    "downloads": {"GET": READ, "POST": START},
    "downloads/": {"GET": READ, "DELETE": START},
    "downloads//status": {"GET": READ},
    "metrics": {"GET": ADMIN},
    "openapi": {"GET": READ},
    "queue/stats": {"GET": ADMIN},
    "reports": {"GET": READ, "POST": START},
    "reports/": {"DELETE": START},
    "reports//download": {"GET": READ},
    "reports//status": {"GET": READ},
    "s/": {},  # a share link is the permission
    "s//download": {},
    "status/": {"GET": READ},
    "upload": {"POST": UPLOAD},
    "upload/chunked": {"POST": UPLOAD},
    "upload/chunked/": {"GET": UPLOAD, "DELETE": UPLOAD},
    "v1/auth/token": {},  # authenticate by themselves
    "v1/auth/token/refresh": {},
    "v1/auth/token/revoke": {},
    "v1/deletions": {"POST": START},
    "v1/deletions//undo": {"POST": START},
    "v1/download/": {"GET": READ, "DELETE": START},
    "v1/download//retry": {"POST": START},
    "v1/download//shares": {"GET": READ, "POST": START},
    "v1/download/check": {"POST": READ},
    "v1/download/events": {"GET": READ},
    "v1/download/events/": {"GET": READ},
    "v1/download/initiate": {"POST": START},
    "v1/download/jobs": {"GET": READ},
    "v1/download/result/": {"GET": READ},
    "v1/download/start": {"POST": START},
    "v1/download/status/": {"GET": READ},
    "v1/files": {"GET": READ, "POST": START},
    "v1/files/": {"GET": READ, "PATCH": START, "DELETE": START},
    "v1/files//shares": {"GET": READ, "POST": START},
    "v1/jobs/bundle": {"GET": READ, "POST": START},
    "v1/jobs/register": {"GET": READ, "POST": START},
    "v1/jobs/remote": {"GET": READ, "POST": START},
    "v1/jobs/report": {"GET": READ, "POST": START},
    "v1/keys": {"GET": None, "POST": None},
    "v1/keys/": {"GET": None, "PATCH": None, "DELETE": None},
    "v1/kinds": {"GET": READ},
    "v1/schedules": {"GET": READ, "POST": START},
    "v1/schedules/": {"GET": READ, "PATCH": START, "DELETE": START},
    "v1/schedules//run": {"POST": START},
    "v1/shares/": {"DELETE": START},
    "v1/webhook/deliveries": {"GET": READ},
    "v1/webhook/deliveries//resend": {"POST": START},
    "v1/webhook/test": {"POST": START},
    "workers/stats": {"GET": ADMIN},
}
# Pages that need no session, and show nothing of anybody.
PUBLIC = {"sign-in", "theme", "password-reset", "password-reset-sent", "new-password"}
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
ID = re.compile("<(job|file|slug):[a-z_0-9]+>")
OPERATIONS = [
    (path, method, scope) for path, scopes in SCOPES.items() for method, scope in scopes.items()
]
with_each_operation = pytest.mark.parametrize(("path", "method", "scope"), OPERATIONS)


def of_the_api() -> list[Any]:
    return [url for url in routes() if hasattr(url.callback, "cls") and url.name != "docs"]


def path_of(path: str, job: DownloadJob) -> str:
    """Return the path with the id of the job, which is always between or after slashes."""
    id = "70000" if path.startswith("v1/files/") else str(job.pk)
    return "/" + re.sub("(?<=/)(?=/|$)", id, path)


def send(key: str, method: str, path: str, **headers: str) -> Any:
    named = {"Authorization": f"Bearer {key}", "Accept": "*/*"} | headers
    return Client().generic(method, path, b"{}", "application/json", headers=named)


def code_of(response: Any) -> str:
    is_problem = response["Content-Type"] == "application/problem+json"
    return str(response.json()["code"]) if is_problem else ""


@pytest.fixture
def job(operator: User) -> DownloadJob:
    found: DownloadJob = JobFactory(owner=operator)
    return found


def test_each_address_of_the_api_has_its_scopes() -> None:
    found: dict[str, dict[str, str | None]] = {}
    for url in of_the_api():
        view = url.callback.cls
        methods = [method for method in METHODS if hasattr(view, method.lower())]
        has_none = not view.authentication_classes
        scopes = {method: required_scope(view, method) for method in methods}
        found[ID.sub("", str(url.pattern))] = {} if has_none else scopes

    assert found == SCOPES


@with_each_operation
def test_a_key_with_all_other_scopes_is_refused(
    path: str, method: str, scope: str | None, operator: User, job: DownloadJob
) -> None:
    key = make_key(operator, *(set(KeyScope.values) - {scope}))
    before = everything()

    response = send(key, method, path_of(path, job))

    assert response.status_code == 403
    if scope is None:
        assert code_of(response) == "key_not_accepted"
    else:
        assert code_of(response) == "insufficient_scope"
        challenge = f'Bearer realm="api", error="insufficient_scope", scope="{scope}"'
        assert response["WWW-Authenticate"] == challenge
    assert everything() == before


@with_each_operation
def test_the_scope_alone_is_enough(
    path: str, method: str, scope: str | None, operator: User, job: DownloadJob
) -> None:
    key = make_key(operator, scope or ADMIN)

    response = send(key, method, path_of(path, job))

    assert response.status_code != 401
    assert (code_of(response) == "key_not_accepted") is (scope is None)
    assert code_of(response) != "insufficient_scope"


@pytest.mark.parametrize("why", ["revoked", "expired", "unknown", "cut", "owner is inactive"])
@with_each_operation
def test_a_key_that_is_not_valid_is_refused(
    path: str, method: str, scope: str | None, why: str, operator: User, job: DownloadJob
) -> None:
    key = make_key(operator, *KeyScope.values)
    if why == "revoked":
        ApiKey.objects.all().revoke()
    elif why == "expired":
        ApiKey.objects.update(expires_at=timezone.now())
    elif why == "unknown":
        ApiKey.objects.all().delete()
    elif why == "owner is inactive":
        User.objects.filter(pk=operator.pk).update(is_active=False)
    before = everything()

    response = send(key[:-1] if why == "cut" else key, method, path_of(path, job))

    assert response.status_code == 401
    assert code_of(response) == ("user_inactive" if why == "owner is inactive" else "key_not_valid")
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert everything() == before


@with_each_operation
def test_a_key_of_somebody_else_sees_nothing(
    path: str, method: str, scope: str | None, alice: User, bob: User
) -> None:
    job = JobFactory(owner=alice, name="quarterly-secret.zip")
    StoredFileFactory(owner=alice, file_id=70000, name="quarterly-secret.pdf")
    key = make_key(bob, *KeyScope.values)
    before = everything()

    response = send(key, method, path_of(path, job))

    assert "quarterly-secret" not in response.content.decode()
    if path.endswith("/") or "//" in path:
        assert response.status_code in (403, 404, 405)
        assert everything() == before


@pytest.mark.parametrize("reader", [{}, {"Accept": "text/html"}], ids=["a program", "a person"])
def test_keys_open_no_page(operator: User, job: DownloadJob, reader: dict[str, str]) -> None:
    """A page needs a session. Where a page and the API share an address, a key gets the API."""
    key = make_key(operator, *KeyScope.values)
    pages = [url for url in routes() if not hasattr(url.callback, "cls")]
    before = everything()

    for url in pages:
        path = "/" + re.sub("<slug:role>", "thumbnail", ID.sub(str(job.pk), str(url.pattern)))
        for method in METHODS[:2]:
            response = send(key, method, path, **reader)

            is_refused = response.status_code in (302, 400, 403, 404, 405)
            assert is_refused or url.name in PUBLIC, (path, method)
            assert str(job.pk) not in response.content.decode()
    assert everything() == before


def test_the_document_names_the_scope_of_each_operation() -> None:
    found = {
        (re.sub("{[a-z_]+}", "", path)[1:], method.upper()): [
            scope for each in operation.get("security", []) for scope in each.get("key", [])
        ]
        for path, methods in openapi_document()["paths"].items()
        for method, operation in methods.items()
    }

    for path, method, scope in OPERATIONS:
        if path not in ("metrics", "openapi"):
            assert found[path, method] == ([scope] if scope else []), path


class TestOfStaff:
    """A key of a staff user without the scope `admin` is that of a usual user."""

    def test_lists_of_others_need_admin(self, operator: User, alice: User) -> None:
        JobFactory(owner=alice)
        path = f"/v1/download/jobs?userId={alice.pk}"

        refused = send(make_key(operator, "read"), "GET", path)
        found = send(make_key(operator, "read", "admin"), "GET", path)

        assert code_of(refused) == "permission_denied"
        assert len(found.json()["results"]) == 1

    def test_high_priorities_need_admin(self, operator: User, settings: Any) -> None:
        settings.MAX_PRIORITY = 4
        from jobs.models import Preferences

        Preferences.objects.create(owner=operator)
        body = b'{"file_ids": [70000], "priority": 9}'

        def start(*scopes: str) -> int:
            headers = {"Authorization": f"Bearer {make_key(operator, *scopes)}"}
            path = "/v1/download/initiate"
            response = Client().post(path, body, "application/json", headers=headers)
            return int(response.status_code)

        assert (start("start"), start("start", "admin")) == (400, 202)

    def test_a_former_operator_has_lost_the_rights(self, operator: User) -> None:
        key = make_key(operator, *KeyScope.values)
        assert send(key, "GET", "/queue/stats").status_code == 200
        User.objects.update(is_staff=False, is_superuser=False)

        assert code_of(send(key, "GET", "/queue/stats")) == "permission_denied"

    def test_the_account_stays_as_it_is(self, operator: User) -> None:
        send(make_key(operator, "read"), "GET", "/v1/download/jobs")

        operator.refresh_from_db()
        assert operator.is_staff
        assert operator.is_superuser


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_ignores_case(alice: User, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {make_key(alice, 'read')}"}

    assert Client().get("/v1/download/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "text", ["dlk_", "dlk_ab", "dlk_" + "a" * 37, "dlk_" + "ä" * 36, "dlk_a b", "dlk_" + "٣" * 36]
)
def test_what_is_no_key_is_refused_without_a_query(
    text: str, db: None, django_assert_num_queries: Any
) -> None:
    headers = {"Authorization": f"Bearer {text}".encode().decode("latin-1")}

    with django_assert_num_queries(0):
        response = Client().get("/v1/download/jobs", headers=headers)

    assert (response.status_code, code_of(response)) == (401, "key_not_valid")


def test_a_key_expires_on_time(alice: User) -> None:
    key = make_key(alice, "read", expires_at=timezone.now() + timedelta(minutes=1))
    assert send(key, "GET", "/v1/download/jobs").status_code == 200

    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert code_of(send(key, "GET", "/v1/download/jobs")) == "key_not_valid"


def test_a_new_password_leaves_keys_valid(alice: User) -> None:
    key = make_key(alice, "read")

    alice.set_password(uuid4().hex)
    alice.save()

    assert send(key, "GET", "/v1/download/jobs").status_code == 200


def test_rates_are_counted_for_the_owner(alice: User, settings: Any) -> None:
    settings.RATES = settings.RATES | {"poll": ["owner:2/60"]}
    keys = [make_key(alice, "read") for _ in range(3)]

    statuses = [send(key, "GET", "/v1/download/jobs").status_code for key in keys]

    assert statuses == [200, 200, 429]
