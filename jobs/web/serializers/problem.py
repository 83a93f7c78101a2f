"""The body of an error response (RFC 9457), for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from jobs.web.problems import CODES, MAX_ERRORS
from jobs.web.serializers.responses import UrlReference


class FieldError(serializers.Serializer[Any]):
    """An error of one field. `field` is a path such as `file_ids.0`."""

    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """An error (RFC 9457). Programs use `code`, people read `detail`."""

    type = UrlReference()
    title = serializers.CharField(help_text="The phrase of the status, or what went wrong.")
    status = serializers.IntegerField(min_value=400, max_value=599)
    detail = serializers.CharField(help_text="One sentence that says what to do.")
    code = serializers.ChoiceField(list(CODES))
    requestId = serializers.CharField(help_text="The `X-Request-ID` of this response.")
    error = serializers.CharField(help_text="The same as `title`, for older clients.")
    errors = FieldError(  # type: ignore[assignment]
        many=True,
        required=False,
        help_text=f"One for each invalid field. After {MAX_ERRORS}, one with the code `more` has"
        " the number of the others.",
    )
