"""What is refused of a multipart form, and the problems that say so."""

from __future__ import annotations

import re
from http import HTTPStatus

from multipart import MultipartSegment

from jobs.web.problems import Problem

CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
NO_ENCODING = {"7bit", "8bit", "binary"}


def no_file_problem(sentence: str = "The form has no file.") -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "no_file", sentence, title="No file uploaded")


def file_too_large_problem(max_bytes: int) -> Problem:
    sentence = f"A file may have at most {max_bytes:,} bytes."
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", sentence, title="File too large"
    )


def check_multipart_part(head: MultipartSegment) -> None:
    """Reject a part that parsers understand in different ways."""
    if any(CONTROL.search(value) for _, value in head.headerlist):
        raise malformed_form_problem("The headers of a part contain a control character.")
    if len({name for name, _ in head.headerlist}) < len(head.headerlist):
        raise malformed_form_problem("The headers of a part contain a duplicate.")
    if not head.name or CONTROL.search(head.name) or "\0" in (head.filename or ""):
        raise malformed_form_problem(
            "A part has no name, or its name contains a control character."
        )
    if (head.header("Content-Transfer-Encoding") or "binary").strip().lower() not in NO_ENCODING:
        raise malformed_form_problem("Send each part without Content-Transfer-Encoding.")
    if head.header("Content-Range"):
        raise malformed_form_problem("Send each part completely, without Content-Range.")
    if head.content_type == "multipart/mixed":
        raise malformed_form_problem("Nested multipart is not supported.")


def broken_off_problem(error: OSError) -> Problem:
    """Return the Problem for a body that came too slowly, or not to its end."""
    if isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError):
        sentence = "The body did not arrive in time."
        return Problem(HTTPStatus.REQUEST_TIMEOUT, "slow_body", sentence)
    return malformed_form_problem("The body is incomplete, or not valid HTTP.")


def malformed_form_problem(sentence: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "parse_error", sentence)
