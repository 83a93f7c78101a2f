"""The one exception that is an answer. Apart from http.py, because DRF loads our parser with it."""

from __future__ import annotations

from http import HTTPStatus

from rest_framework import exceptions


class Problem(exceptions.APIException):
    """An answer that is an error: a status, a code for programs, a sentence for people."""

    def __init__(
        self, status: HTTPStatus, code: str, detail: str, headers: dict[str, str] | None = None
    ) -> None:
        self.status_code = status
        super().__init__(detail, code)
        self.headers = headers or {}
