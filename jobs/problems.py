"""The one exception that is an answer. Not in http.py: DRF loads our parser and page with it."""

from __future__ import annotations

from http import HTTPStatus

from rest_framework import exceptions

PROBLEM = "application/problem+json"


class Problem(exceptions.APIException):
    """An answer that is an error: a status, a code for programs, a sentence for people."""

    def __init__(
        self, status: HTTPStatus, code: str, detail: str, headers: dict[str, str] | None = None
    ) -> None:
        self.status_code = status
        super().__init__(detail, code)
        self.headers = headers or {}
