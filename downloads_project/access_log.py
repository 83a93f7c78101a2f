"""The web process' line for each request, made by gunicorn."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger


class AccessLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Without the query of an address: a link that a form is filled in with may be a secret."""

    def atoms(self, resp: Any, req: Any, environ: Any, request_time: Any) -> dict[str, Any]:
        path = environ["RAW_URI"].partition("?")[0]
        told: dict[str, Any] = super().atoms(resp, req, environ | {"RAW_URI": path}, request_time)
        return told
