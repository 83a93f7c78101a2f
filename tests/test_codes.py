"""Error codes: all are listed, and none is ever renamed."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from types import ModuleType

import pytest
from rest_framework.exceptions import APIException
from rest_framework_simplejwt import authentication, exceptions, serializers

from jobs.errors import (
    DEPENDENCY_FAILED,
    FORMER_JOB_CODES,
    JOB_CODES,
    PREVIEW_CODES,
    TIMEOUT,
    WORKER_LOST,
    BuildError,
    ProcessingError,
)
from jobs.states import FINAL, Status
from jobs.web.problems import CODES

BASE = Path(__file__).parent.parent
SOURCES = sorted(
    [
        *(BASE / "jobs").rglob("*.py"),
        *(BASE / "downloads_client").rglob("*.py"),
        *(BASE / "downloads_project").glob("*.py"),
    ]
)
ANSWERS = {
    "Problem": 1,
    "Refusal": 1,
    "error_response_body": 2,
    "api_error_response": 2,
    "error_response": 2,
}  # the position of the code

# Clients depend on these. Lines may be added, but never changed or removed.
PUBLISHED = {
    "invalid": 400,
    "parse_error": 400,
    "no_file": 400,
    "not_authenticated": 401,
    "authentication_failed": 401,
    "bad_authorization_header": 401,
    "token_not_valid": 401,
    "no_active_account": 401,
    "user_not_found": 401,
    "user_inactive": 401,
    "key_not_valid": 401,
    "password_changed": 401,
    "untrusted_gateway": 401,
    "bad_username": 401,
    "permission_denied": 403,
    "csrf": 403,
    "insufficient_scope": 403,
    "key_not_accepted": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "slow_headers": 408,
    "slow_body": 408,
    "conflict": 409,
    "still_open": 409,
    "not_ready": 409,
    "job_failed": 409,
    "makes_no_file": 409,
    "cancelled": 410,
    "expired": 410,
    "artifact_gone": 410,
    "too_large": 413,
    "address_too_long": 414,
    "unsupported_media_type": 415,
    "expectation_failed": 417,
    "idempotency_key_reused": 422,
    "blocked_address": 422,
    "headers_too_large": 431,
    "throttled": 429,
    "too_many_active": 429,
    "too_many_schedules": 429,
    "too_many_keys": 429,
    "too_many_links": 429,
    "wrong_password": 403,
    "link_revoked": 410,
    "link_used_up": 410,
    "link_expired": 410,
    "link_deleted": 410,
    "too_many_uploads": 429,
    "storage_full": 429,
    "store_full": 503,
    "type_not_allowed": 422,
    "internal": 500,
    "unsupported_transfer_coding": 501,
    "sign_in_closed": 503,
    "overloaded": 503,
    "storage_unavailable": 503,
}
PUBLISHED_OF_JOBS = {
    "build_failed",
    "no_sources",
    "source_missing",
    "source_changed",
    "archive_too_large",
    "dependency_failed",
    "storage_unavailable",
    "storage_full",
    "type_not_allowed",
    "blocked_address",
    "blocked_redirect",
    "too_many_redirects",
    "remote_refused",
    "remote_not_trusted",
    "remote_not_a_file",
    "remote_encoded",
    "remote_too_large",
    "remote_unavailable",
    "remote_too_slow",
    "remote_changed",
    "checksum_mismatch",
    "file_unreadable",
    "file_encrypted",
    "picture_too_large",
    "file_too_complex",
    "infected",
    "not_scanned",
    "scanner_unavailable",
    "empty_result",
    "timeout",
    "stalled",
    "worker_lost",
    "unexpected",
}
PUBLISHED_OF_PREVIEWS = {
    "file_unreadable",
    "file_encrypted",
    "picture_too_large",
    "file_too_complex",
    "file_too_large",
    "nothing_to_show",
    "no_reader",
}


def answers(source: str) -> Iterator[tuple[str, str]]:
    """Yield the status, as written, and the code of each error response in the source."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id == "AuthenticationFailed" and isinstance(node.args[1], ast.Constant):
            yield "401", str(node.args[1].value)
        place = ANSWERS.get(node.func.id, 0)
        if place and len(node.args) > place:
            status, code = node.args[place - 1 : place + 1]
            if isinstance(code, ast.Constant):
                yield ast.unparse(status), str(code.value)


def codes_given(module: ModuleType) -> set[str]:
    """Yield the `code=` arguments of a library's calls."""
    calls = (n for n in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(n, ast.Call))
    words = (word for call in calls for word in call.keywords if word.arg == "code")
    return {str(word.value.value) for word in words if isinstance(word.value, ast.Constant)}


def kinds_of(error: type[Exception]) -> Iterator[type[Exception]]:
    yield error
    for narrower in error.__subclasses__():
        if not narrower.__module__.startswith("jobs."):
            continue  # of a test
        yield from kinds_of(narrower)


def test_no_published_code_is_renamed_or_given_another_status() -> None:
    assert {code: meaning.status for code, meaning in CODES.items()} == PUBLISHED


def test_no_published_code_of_a_job_is_renamed() -> None:
    assert set(JOB_CODES) == PUBLISHED_OF_JOBS


def test_no_published_code_of_missing_previews_is_renamed() -> None:
    assert set(PREVIEW_CODES) == PUBLISHED_OF_PREVIEWS


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_code_in_the_sources_is_listed_with_its_status(path: Path) -> None:
    for status, code in answers(path.read_text()):
        assert code in CODES, code
        name = status.removeprefix("HTTPStatus.")  # several names may be of one status
        found = HTTPStatus(int(name)) if name.isdecimal() else HTTPStatus[name]
        assert found == CODES[code].status


def test_the_search_for_codes_finds_them() -> None:
    paths = [BASE / f"jobs/web/{name}.py" for name in ("error_responses", "error_handlers")]

    found = {code for path in paths for _, code in answers(path.read_text())}

    assert {"internal", "overloaded", "not_found"} <= found


def test_the_codes_of_the_libraries_are_listed() -> None:
    raised = {kind for kind in kinds_of(APIException) if kind is not APIException}
    defaults = {str(vars(kind)["default_code"]) for kind in raised if "default_code" in vars(kind)}

    assert defaults <= set(CODES)
    assert codes_given(authentication) <= set(CODES)
    assert "no_active_account" in inspect.getsource(serializers)
    assert exceptions.InvalidToken.default_code in CODES


def test_the_codes_of_jobs_without_a_file_are_listed() -> None:
    assert FINAL - {Status.COMPLETED, Status.FAILED} <= set(CODES)


def test_the_codes_of_failed_jobs_are_listed() -> None:
    others = {TIMEOUT, WORKER_LOST, DEPENDENCY_FAILED}
    of_previews = set(kinds_of(ProcessingError))
    service = [kind for kind in kinds_of(BuildError) if kind.__module__.startswith("jobs.errors")]
    failing = {kind.code for kind in service if kind not in of_previews}
    assert failing | others == set(JOB_CODES) - set(FORMER_JOB_CODES)
    assert {kind.code for kind in of_previews} == set(PREVIEW_CODES)


def test_a_sentence_ends_and_fits_a_row_of_the_table() -> None:
    for sentence in [meaning.sentence for meaning in CODES.values()] + [
        *JOB_CODES.values(),
        *PREVIEW_CODES.values(),
    ]:
        assert sentence.endswith(".")
        assert "|" not in sentence
        assert "\n" not in sentence
