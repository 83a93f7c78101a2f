"""The header Idempotency-Key."""

from __future__ import annotations

import re

from rest_framework import exceptions
from rest_framework.request import Request

KEY = re.compile(r"[!-~]{1,255}")


def idempotency_key(request: Request) -> str:
    """Return the `Idempotency-Key` header, or an empty string. Raises ValidationError."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not KEY.fullmatch(key):
        raise exceptions.ValidationError(
            {"Idempotency-Key": ["Use 1 to 255 visible ASCII characters."]}
        )
    return key or ""
