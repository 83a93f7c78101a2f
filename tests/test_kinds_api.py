"""GET /v1/kinds, and POST /v1/jobs/{kind}: the endpoint that the class of a kind describes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

from jobs.models import DownloadJob
from tests.factories import LINK
from tests.test_openapi import by_name

URL = "/v1/jobs/order-export"

pytestmark = pytest.mark.usefixtures("broker")


@pytest.fixture(autouse=True)
def kinds(add_kinds: Callable[..., None]) -> None:
    add_kinds("tests.shop.OrderExport", "tests.shop.PrivateExport")


def described(client: APIClient) -> dict[str, Any]:
    return {each["kind"]: each for each in client.get("/v1/kinds").json()["results"]}


def test_a_request_becomes_a_job(client_of_alice: APIClient, alice: User) -> None:
    response = client_of_alice.post(URL, {"year": 2025, "since": "2025-05-01"})

    job = DownloadJob.objects.get()
    assert response.status_code == 202
    assert response["Location"] == f"/v1/download/status/{job.pk}"
    assert (job.owner, job.kind, job.name) == (alice, "order-export", "Orders as CSV.csv")
    assert job.params == {"year": 2025, "since": "2025-05-01"}


def test_it_has_a_file_name_and_the_terms_of_every_job(client_of_alice: APIClient) -> None:
    body = {"year": 2025, "name": "May", "priority": 2, "runAt": "2026-12-24T08:00:00Z"}

    response = client_of_alice.post(URL, body)

    assert response.json()["fileName"] == "May.csv"
    assert response.json()["runAt"] == "2026-12-24T08:00:00Z"
    assert DownloadJob.objects.get().priority == 2


def test_the_same_request_with_the_same_key_is_one_job(client_of_alice: APIClient) -> None:
    answers = [
        client_of_alice.post(URL, {"year": year}, headers={"Idempotency-Key": "orders"})
        for year in (2025, 2025, 2026)
    ]

    assert [answer.status_code for answer in answers] == [202, 202, 422]
    assert answers[1]["Idempotency-Replayed"] == "true"
    assert DownloadJob.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "year"),
        ({"year": 1999}, "year"),
        ({"year": "2025"}, "year"),
        ({"year": True}, "year"),
        ({"year": 2025.5}, "year"),
        ({"year": 2025, "paid": "yes"}, "paid"),
        ({"year": 2025, "paid": 1}, "paid"),
        ({"year": 2025, "customer": 7}, "customer"),
        ({"year": 2025, "since": "May"}, "since"),
        ({"year": 2025, "columns": ["id", "secret"]}, "columns.1"),
        ({"year": 2025, "month": 5}, "month"),
        ({"year": 2025, "priority": "5"}, "priority"),
    ],
)
def test_a_wrong_value_is_refused(
    client_of_alice: APIClient, body: dict[str, Any], field: str
) -> None:
    response = client_of_alice.post(URL, body)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert not DownloadJob.objects.exists()


def test_all_wrong_values_are_reported_at_once(client_of_alice: APIClient) -> None:
    response = client_of_alice.post(URL, {"year": "x", "since": "May", "priority": 10})

    fields = {error["field"] for error in response.json()["errors"]}
    assert fields == {"year", "since", "priority"}


def test_the_error_of_a_choice_names_the_choices(
    client_of_alice: APIClient, add_kinds: Callable[..., None]
) -> None:
    add_kinds("tests.kinds.ChoiceExport")
    body = {"size": "{x}", "days": ["mo"], "parts": ["three"], "mood": "bad", "colour": 3}

    errors = client_of_alice.post("/v1/jobs/choice-export", body).json()["errors"]

    found = {error["field"].partition(".")[0]: error["detail"] for error in errors}
    assert found["size"] == '"{x}" is not a valid choice. Use one of: s, l.'
    assert found["days"].endswith("Use one of: sa, su.")
    assert found["parts"].endswith("Use one of: one, two.")
    assert "mood" not in found


@pytest.mark.parametrize(
    ("query", "choices"), [("status=done", "queued, processing,"), ("kind=zip", "bundle, remote,")]
)
def test_the_error_of_a_filter_names_the_choices(
    client_of_alice: APIClient, query: str, choices: str
) -> None:
    response = client_of_alice.get(f"/v1/download/jobs?{query}")

    [error] = response.json()["errors"]
    assert response.status_code == 400
    assert f"is not a valid choice. Use one of: {choices}" in error["detail"]


def test_one_s_own_jobs_of_the_kind_are_listed(client_of_alice: APIClient) -> None:
    client_of_alice.post(URL, {"year": 2025})
    client_of_alice.post("/v1/jobs/report", {})

    listed = client_of_alice.get(URL).json()["results"]

    assert [job["kind"] for job in listed] == ["order-export"]


def test_an_unknown_kind_is_not_found(client_of_alice: APIClient) -> None:
    assert client_of_alice.post("/v1/jobs/unknown", {}).status_code == 404


def test_a_stranger_must_sign_in(client: Client) -> None:
    assert client.post(URL, {}).status_code == 401
    assert client.get("/v1/kinds").status_code == 401


def test_who_lacks_the_permission_is_refused(client_of_alice: APIClient, alice: User) -> None:
    url = "/v1/jobs/private-export"
    assert client_of_alice.post(url, {"year": 2025}).status_code == 403
    assert client_of_alice.get(url).status_code == 200
    assert "private-export" not in described(client_of_alice)

    alice.user_permissions.add(Permission.objects.get(codename="view_downloadjob"))
    client_of_alice.force_authenticate(User.objects.get(pk=alice.pk))  # permissions are cached

    assert client_of_alice.post(url, {"year": 2025}).status_code == 202
    assert "private-export" in described(client_of_alice)


def test_the_kinds_are_listed_with_the_schemas_of_their_requests(
    client_of_alice: APIClient,
) -> None:
    found = described(client_of_alice)["order-export"]

    schema = found.pop("requestSchema")
    assert found["label"] == "Orders as CSV"
    assert found["description"] == "The orders of a year, one on each line"
    assert (found["url"], found["formUrl"]) == (URL, "/new/order-export")
    Draft202012Validator.check_schema(schema)
    valid = Draft202012Validator(schema).is_valid
    assert valid({"year": 2025, "columns": ["id"], "priority": 3, "name": "May"})
    assert not valid({"year": "2025"})
    assert not valid({"year": 2025, "month": 5})
    assert schema["properties"]["paid"]["title"] == "Only paid orders"


def test_every_kind_is_listed(client_of_alice: APIClient) -> None:
    found = described(client_of_alice)

    assert {name: each["url"] for name, each in found.items()} == {
        "bundle": "/v1/jobs/bundle",
        "remote": "/v1/jobs/remote",
        "upload": "/upload",
        "report": "/v1/jobs/report",
        "order-export": URL,
    }
    assert found["upload"]["requestSchema"] is None
    assert all(found[name]["requestSchema"]["properties"] for name in set(found) - {"upload"})


@pytest.mark.parametrize(
    ("kind", "body", "params"),
    [
        ("bundle", {"file_ids": [70000, 70000]}, {"file_ids": [70000]}),
        ("remote", {"url": LINK}, {"url": LINK, "threads": 4}),
        ("report", {}, {"period": "30d", "format": "pdf", "everybody": False}),
    ],
)
def test_the_service_s_own_kinds_have_the_same_endpoint(
    client_of_alice: APIClient, kind: str, body: dict[str, Any], params: dict[str, Any]
) -> None:
    assert client_of_alice.post(f"/v1/jobs/{kind}", body).status_code == 202
    assert DownloadJob.objects.get().params == params


def test_it_is_in_the_openapi_document() -> None:
    document = SchemaGenerator().get_schema(request=None, public=True)
    operation = by_name(document)["create_order_export"]

    body = operation["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/OrderExportRequest"}
    assert body["examples"]["Example"]["value"]["year"]
    assert "order-export" in operation["summary"]
    assert set(operation["responses"]) >= {"202", "400", "401", "409", "422", "429"}
    assert "403" in by_name(document)["create_private_export"]["responses"]
    components = {"components": document["components"]}
    schema = Draft202012Validator(body["schema"] | components)
    assert not list(schema.iter_errors(body["examples"]["Example"]["value"]))


@pytest.mark.parametrize("name", ["sales_export", "strict_export", "nested_export", "plain_export"])
def test_the_example_of_a_kind_without_one_obeys_its_schema(
    add_kinds: Callable[..., None], name: str
) -> None:
    add_kinds(f"tests.kinds.{name.title().replace('_', '')}")

    document = SchemaGenerator().get_schema(request=None, public=True)

    body = by_name(document)[f"create_{name}"]["requestBody"]["content"]["application/json"]
    schema = Draft202012Validator(body["schema"] | {"components": document["components"]})
    assert not list(schema.iter_errors(body["examples"]["Example"]["value"]))
