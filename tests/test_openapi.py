"""The OpenAPI document and its page are complete and correct, as far as can be checked offline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from django.test import Client
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from jobs.errors import JOB_CODES, PREVIEW_CODES
from jobs.states import Status
from jobs.web.openapi.decorators import describes
from jobs.web.openapi.document import Document
from jobs.web.problems import CODES
from tests.pages.looks import INLINE

Json = dict[str, Any]

PROBLEM = "application/problem+json"
NOT_OF_THE_API = {"openapi", "docs", "metrics"}
ANYBODY = {400, 401, 406, 429, 500, 503}
SIGNED_IN = ANYBODY | {403}  # such as a key without the scope
NO_BODY = SIGNED_IN - {406}  # only one authentication is possible
WITH_A_BODY = {408, 413, 415}
STATUSES = {
    "initiate": SIGNED_IN | WITH_A_BODY | {202, 403, 409, 422},
    "start": SIGNED_IN | WITH_A_BODY | {200, 202, 403, 409, 422},
    "check": SIGNED_IN | WITH_A_BODY | {200, 403},
    "jobs": SIGNED_IN | {200, 403},
    "status": SIGNED_IN | {200, 304, 403, 404},
    "status_alias": SIGNED_IN | {200, 304, 403, 404},
    "events": SIGNED_IN | {200, 204, 403, 404},
    "events_of_jobs": SIGNED_IN | {200, 204, 403, 404},
    "result": SIGNED_IN | {200, 403, 404, 409, 410},
    "download": NO_BODY | {302, 403, 404, 409, 410},
    "cancel": SIGNED_IN | {200, 403, 404, 409},
    "retry": SIGNED_IN | {202, 403, 404, 409},
    "upload": {202, 400, 401, 403, 406, 408, 409, 413, 415, 422, 429, 500, 503},
    "upload_chunked": {200, 202, 400, 401, 403, 404, 406, 408, 409, 413, 415, 422, 429, 500, 503},
    "chunked_upload": {200, 400, 401, 403, 404, 406, 429, 500, 503},
    "give_up_upload": {204, 400, 401, 403, 404, 429, 500, 503},
    "fetch_link": SIGNED_IN | WITH_A_BODY | {202, 403, 409, 422},
    "links": SIGNED_IN | {200, 403},
    "link": SIGNED_IN | {200, 304, 403, 404},
    "link_status": SIGNED_IN | {200, 304, 403, 404},
    "cancel_link": SIGNED_IN | {200, 403, 404, 409},
    "report": SIGNED_IN | WITH_A_BODY | {202, 403, 409, 422},
    "reports": SIGNED_IN | {200, 403},
    "report_status": SIGNED_IN | {200, 304, 403, 404},
    "report_download": NO_BODY | {302, 403, 404, 409, 410},
    "cancel_report": SIGNED_IN | {200, 403, 404, 409},
    "kinds": SIGNED_IN | {200},
    **dict.fromkeys(
        ["create_bundle", "create_remote", "create_report", "create_register", "register_files"],
        SIGNED_IN | WITH_A_BODY | {202, 403, 409, 422},
    ),
    **dict.fromkeys(
        ["jobs_bundle", "jobs_remote", "jobs_report", "jobs_register"], SIGNED_IN | {200, 403}
    ),
    "files": SIGNED_IN | {200},
    "file": SIGNED_IN | {200, 404},
    "change_file": SIGNED_IN | WITH_A_BODY | {200, 403, 404, 409},
    "delete_file": NO_BODY | {204, 403, 404, 409},
    "delete": SIGNED_IN | WITH_A_BODY | {200, 403, 409},
    "undo_deletion": SIGNED_IN | {200, 403, 404},
    "shares": SIGNED_IN | {200, 403, 404},
    "share": SIGNED_IN | WITH_A_BODY | {201, 403, 404, 409},
    "file_shares": SIGNED_IN | {200, 403, 404},
    "share_file": SIGNED_IN | WITH_A_BODY | {201, 403, 404, 409},
    "revoke_share": NO_BODY | {204, 403, 404},
    "shared_file": {200, 400, 404, 406, 410, 429, 500, 503},
    "open_shared_file": WITH_A_BODY | {200, 400, 403, 404, 406, 410, 429, 500, 503},
    "download_shared_file": {302, 400, 403, 404, 410, 429, 500, 503},
    "download_shared_file_by_password": WITH_A_BODY | {303, 400, 403, 404, 410, 429, 500, 503},
    "schedules": SIGNED_IN | {200},
    "create_schedule": SIGNED_IN | WITH_A_BODY | {201, 403, 409, 422},
    "schedule": SIGNED_IN | {200, 403, 404},
    "change_schedule": SIGNED_IN | WITH_A_BODY | {200, 403, 404, 422},
    "delete_schedule": NO_BODY | {204, 403, 404},
    "run_schedule": SIGNED_IN | {202, 403, 404, 409, 422},
    "test_webhook": SIGNED_IN | WITH_A_BODY | {200, 403, 422},
    "webhook_deliveries": SIGNED_IN | {200},
    "resend_webhook": SIGNED_IN | {200, 403, 404, 409},
    "queue_stats": SIGNED_IN | {200, 403},
    "worker_stats": SIGNED_IN | {200, 403},
    "admin_retry": SIGNED_IN | {202, 403, 404, 409},
    "keys": SIGNED_IN | {200},
    "create_key": SIGNED_IN | WITH_A_BODY | {201, 422},
    "key": SIGNED_IN | {200, 404},
    "rename_key": SIGNED_IN | WITH_A_BODY | {200, 404},
    "revoke_key": NO_BODY | {204, 404},
    "token": ANYBODY | WITH_A_BODY | {200},
    "token_refresh": ANYBODY | WITH_A_BODY | {200},
    "token_revoke": (NO_BODY - {403}) | WITH_A_BODY | {204},
    "health": {200, 503},
    "health_ready": {200, 503},
    "health_live": {200},
}


@pytest.fixture
def document(client: Client) -> Json:
    return parsed(client.get("/openapi").content)


@cache  # takes seconds without libyaml
def parsed(document: bytes) -> Json:
    return yaml.load(document, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@pytest.fixture
def operations(document: Json) -> dict[str, Json]:
    return by_name(document)


def by_name(document: Json) -> dict[str, Json]:
    found = (operation for path in document["paths"].values() for operation in path.values())
    return {operation["operationId"]: operation for operation in found}


def bodies(operations: dict[str, Json]) -> Iterator[tuple[str, Json]]:
    """Yield the place and media type object of each request and response body."""
    for name, operation in operations.items():
        described = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for place, body in described.items():
            for media_type, content in body.get("content", {}).items():
                yield f"{name} {place} {media_type}", content


@pytest.mark.slow  # also part of `make check`
def test_it_is_openapi_3_1(document: Json) -> None:
    assert document["openapi"] == "3.1.0"
    validate_schema(document)


def test_it_is_the_same_each_time(client: Client) -> None:
    assert client.get("/openapi").content == client.get("/openapi").content


@pytest.mark.parametrize("query", ["version=2", "version=a%0D%0Ab", 'version="', "lang=de"])
def test_parameters_do_not_change_it(client: Client, query: str) -> None:
    usual, other = client.get("/openapi"), client.get(f"/openapi?{query}")

    assert other.status_code == 200
    assert (other.content, other["Content-Disposition"]) == (
        usual.content,
        usual["Content-Disposition"],
    )


def test_it_is_generated_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.get("/openapi")
    monkeypatch.setattr(Document, "generator_class", None)

    assert client.get("/openapi").status_code == 200


def test_every_endpoint_of_the_api_is_in_the_document(document: Json) -> None:
    from jobs.web.middleware import PROBES
    from tests.routes import routes

    served = {
        "/" + re.sub("<(?:job|file|slug):([a-z_]+)>", r"{\1}", str(url.pattern))
        for url in routes()
        if hasattr(url.callback, "cls")
    } - {f"/{name}" for name in NOT_OF_THE_API}

    assert set(document["paths"]) == served | set(PROBES)


def test_each_operation_lists_every_status_that_it_returns(operations: dict[str, Json]) -> None:
    statuses = {name: set(map(int, each["responses"])) for name, each in operations.items()}

    assert statuses == STATUSES


def test_no_code_is_listed_twice_in_a_response(operations: dict[str, Json]) -> None:
    for name, operation in operations.items():
        for status, answer in operation["responses"].items():
            lines = answer["description"].splitlines()
            assert len(lines) == len(set(lines)), (name, status)


@pytest.mark.parametrize(
    ("name", "is_required"),
    [("initiate", True), ("create_bundle", True), ("create_remote", True), ("report", False)],
)
def test_a_body_is_required_where_it_may_not_be_empty(
    operations: dict[str, Json], name: str, is_required: bool
) -> None:
    assert operations[name]["requestBody"].get("required", False) is is_required


def test_errors_are_problems(operations: dict[str, Json]) -> None:
    for name in set(operations) - {"health", "health_ready"}:
        for status, answer in operations[name]["responses"].items():
            content = answer.get("content", {})
            assert (PROBLEM in content) == (int(status) >= 400), (name, status)


def test_every_request_has_an_example(operations: dict[str, Json]) -> None:
    for place, content in bodies(operations):
        if place.split()[1] == "request":
            assert len(content["examples"]) == 1, place


@pytest.mark.parametrize("name", ["status", "status_alias", "link", "link_status", "report_status"])
def test_a_poll_has_an_example_of_a_job_in_each_state(
    operations: dict[str, Json], name: str
) -> None:
    examples = operations[name]["responses"]["200"]["content"]["application/json"]["examples"]

    states = [(name, example["value"]["status"]) for name, example in examples.items()]

    assert states == [
        ("Queued", "queued"),
        ("Processing", "processing"),
        ("Waiting", "queued"),
        ("Completed", "completed"),
        ("Failed", "failed"),
        ("Cancelled", "cancelled"),
    ]


@pytest.mark.parametrize(
    ("name", "status", "state"),
    [
        ("initiate", "202", "Queued"),
        ("start", "200", "Completed"),
        ("create_bundle", "202", "Queued"),
        ("retry", "202", "Queued"),
        ("result", "200", "Completed"),
        ("cancel", "200", "Cancelled"),
        ("cancel_report", "200", "Cancelled"),
    ],
)
def test_other_responses_have_an_example_of_a_job(
    operations: dict[str, Json], name: str, status: str, state: str
) -> None:
    content = operations[name]["responses"][status]["content"]

    assert list(content["application/json"]["examples"]) == [state]


def test_an_upload_in_an_example_has_a_preview(operations: dict[str, Json]) -> None:
    content = operations["status_alias"]["responses"]["200"]["content"]

    upload = content["application/json"]["examples"]["Completed"]["value"]

    assert upload["processedFiles"]["thumbnail"]["downloadUrl"].startswith("https://files.example")
    assert upload["downloadUrls"].keys() == {"thumbnail"}


def test_every_example_obeys_its_schema(document: Json, operations: dict[str, Json]) -> None:
    components = {"components": document["components"]}
    for place, content in bodies(operations):
        schema = Draft202012Validator(content["schema"] | components)
        for name, example in content.get("examples", {}).items():
            wrong = [error.message for error in schema.iter_errors(example["value"])]
            assert not wrong, (place, name)


def test_the_example_of_an_invalid_request_names_a_field(operations: dict[str, Json]) -> None:
    examples = operations["initiate"]["responses"]["400"]["content"][PROBLEM]["examples"]

    assert [error["field"] for error in examples["invalid"]["value"]["errors"]] == ["name"]
    assert "errors" not in examples["parse_error"]["value"]


SIGN_IN_PROBLEMS = {"not_authenticated", "bad_authorization_header", "token_not_valid"}
SIGN_IN_PROBLEMS |= {"key_not_valid"}
SIGN_IN_PROBLEMS |= {"user_inactive", "user_not_found", "password_changed"}


def codes_of(response: Json) -> list[str]:
    return list(response["content"][PROBLEM]["examples"])


def test_examples_of_problems_match_their_status(operations: dict[str, Json]) -> None:
    for operation in operations.values():
        for status, response in operation["responses"].items():
            if PROBLEM in response.get("content", {}):
                for code, example in response["content"][PROBLEM]["examples"].items():
                    assert example["value"]["code"] == code
                    assert example["value"]["status"] == int(status) == CODES[code].status


@pytest.mark.parametrize(
    ("name", "status", "codes"),
    [
        ("jobs", "401", SIGN_IN_PROBLEMS),
        ("initiate", "422", {"idempotency_key_reused", "blocked_address"}),
        ("upload", "422", {"idempotency_key_reused", "blocked_address", "type_not_allowed"}),
        ("create_report", "429", {"throttled", "too_many_active", "storage_full"}),
        ("cancel", "409", {"conflict"}),
        ("result", "409", {"not_ready", "job_failed", "makes_no_file"}),
        ("retry", "403", {"csrf", "permission_denied", "insufficient_scope"}),
        ("create_key", "403", {"csrf", "key_not_accepted"}),
        ("token", "401", {"no_active_account"}),
    ],
)
def test_an_operation_lists_its_problems(
    operations: dict[str, Json], name: str, status: str, codes: set[str]
) -> None:
    response = operations[name]["responses"][status]

    assert set(codes_of(response)) == codes
    assert response["description"].count("- `") == len(codes)


def test_every_operation_has_a_description(document: Json, operations: dict[str, Json]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for name, operation in operations.items():
        assert operation["summary"], name
        assert set(operation["tags"]) <= tags, name


def test_the_codes_are_in_the_description_and_in_the_schema(document: Json) -> None:
    schemas = document["components"]["schemas"]

    for code in [*CODES, *JOB_CODES, *PREVIEW_CODES]:
        assert f"| `{code}` |" in document["info"]["description"]
    assert set(schemas["CodeEnum"]["enum"]) == set(CODES)
    assert set(schemas["ErrorCodeEnum"]["enum"]) == set(JOB_CODES)


def test_requests_take_no_other_fields(document: Json) -> None:
    schemas = document["components"]["schemas"]

    for name in (
        "BundleRequest",
        "RemoteRequest",
        "CheckRequest",
        "SignIn",
        "Renewal",
        "Revocation",
    ):
        assert schemas[name]["additionalProperties"] is False, name


def test_optional_members_are_not_required(document: Json) -> None:
    job = document["components"]["schemas"]["Job"]

    left_out = set(job["properties"]) - set(job["required"])
    assert {"downloadUrl", "error", "errorCode", "retryAt", "estimatedSecondsRemaining"} <= left_out
    assert {"speed", "threads", "fileId"} <= left_out
    assert {"jobId", "status", "finishedAt", "total"} <= set(job["required"])
    for name in ("finishedAt", "total", "estimatedSecondsRemaining"):
        assert "null" in job["properties"][name]["type"], name


def test_fields_of_a_link_have_bounds(document: Json) -> None:
    schema = document["components"]["schemas"]["RemoteRequest"]
    members = schema["properties"]

    assert schema["required"] == ["url"]
    assert (members["url"]["format"], members["url"]["maxLength"]) == ("uri", 8_000)
    assert [members["threads"][name] for name in ("minimum", "maximum", "default")] == [1, 16, 4]
    assert re.search(members["sha256"]["pattern"], "0aF" * 21 + "0")
    assert not re.search(members["sha256"]["pattern"], "0aF" * 21)


@pytest.mark.parametrize(
    ("name", "status", "headers"),
    [
        ("initiate", "202", {"Location", "Retry-After", "Idempotency-Replayed", "X-Request-ID"}),
        ("initiate", "401", {"WWW-Authenticate", "X-Request-ID"}),
        ("initiate", "429", {"Retry-After", "X-Request-ID"}),
        ("status", "200", {"ETag", "Retry-After", "X-Request-ID"}),
        ("status", "304", {"ETag", "Retry-After", "X-Request-ID"}),
        ("result", "409", {"Location", "Retry-After", "X-Request-ID"}),
        ("download", "302", {"Location", "X-Request-ID"}),
        ("jobs", "503", {"Retry-After", "X-Request-ID"}),
        ("fetch_link", "202", {"Location", "Retry-After", "Idempotency-Replayed"}),
        ("link_status", "304", {"ETag", "Retry-After"}),
    ],
)
def test_headers_for_clients_are_described(
    operations: dict[str, Json], name: str, status: str, headers: set[str]
) -> None:
    assert set(operations[name]["responses"][status]["headers"]) >= headers


def test_security_requirements_are_described(document: Json, operations: dict[str, Json]) -> None:
    schemes = document["components"]["securitySchemes"]

    assert (schemes["token"]["scheme"], schemes["session"]["in"]) == ("bearer", "cookie")
    assert operations["initiate"]["security"] == [
        {"key": ["start"]},
        {"token": []},
        {"session": []},
    ]
    assert operations["create_key"]["security"] == [{"token": []}, {"session": []}]
    assert {} in operations["check"]["security"]
    assert not operations["token"].get("security")


def test_the_documented_page_sizes_are_right(operations: dict[str, Json]) -> None:
    from jobs.web.api.lists import JobFilter, NewestFirstList

    parameters = {each["name"]: each["schema"] for each in operations["jobs"]["parameters"]}

    assert parameters["limit"]["maximum"] == NewestFirstList.max_page_size
    assert parameters["limit"]["default"] == NewestFirstList.page_size
    assert set(parameters["status"]["enum"]) == {"", *Status.values}
    assert parameters["search"]["maxLength"] == JobFilter.base_filters["search"].extra["max_length"]


def test_a_list_of_one_kind_has_no_filter_by_kind(operations: dict[str, Json]) -> None:
    names = {each["name"] for each in operations["links"]["parameters"]}

    assert names == {"search", "status", "userId", "limit", "cursor", "X-Request-ID"}


class ManyTimes(UserRateThrottle):
    rate = "1/min"


class Limited(APIView):
    """Rarely."""

    throttle_classes = [ManyTimes]

    @describes("limited", {})
    def get(self, request: Any) -> Response:
        return Response()


def test_the_rate_limit_of_a_view_is_documented() -> None:
    generator = SchemaGenerator(patterns=[path("limited", Limited.as_view())])

    answer = by_name(generator.get_schema(public=True))["limited"]["responses"]["429"]

    assert "throttled" in codes_of(answer)
    assert {"Retry-After", "RateLimit", "RateLimit-Policy"} <= set(answer["headers"])


def test_the_page_serves_its_own_assets(client: Client) -> None:
    page = client.get("/docs").content.decode()

    assert "/static/drf_spectacular_sidecar/" in page
    assert "https://cdn" not in page
    assert not INLINE.search(page)
    assert '"validatorUrl": null' in client.get("/docs?script=").content.decode()


def test_no_address_ends_with_a_slash_outside_the_admin() -> None:
    from tests.routes import routes

    assert not [url for url in routes() if str(url.pattern).endswith("/")]
