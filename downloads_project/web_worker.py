"""What gunicorn's threads do for Django, and how they answer what is no request."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from gunicorn import util
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import InvalidHeader
from gunicorn.http.wsgi import Response, default_environ
from gunicorn.workers.gthread import ThreadWorker

from downloads_project.bodies import RECEIVE_SECONDS, measure
from downloads_project.refusals import INTERNAL, Refusal, refusal_of


class WebWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's, that reads chunked bodies for Django and speaks problem+json."""

    def handle_request(self, req: Any, conn: Any) -> bool:
        conn.sock.settimeout(RECEIVE_SECONDS)
        if isinstance(req.body.reader, ChunkedReader):
            measure(req, conn.sock)
        return bool(super().handle_request(req, conn))

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Where no request, or none that is valid, was read: gunicorn answers with HTML here."""
        refusal, request_id = refusal_of(exc), uuid.uuid4().hex
        if refusal is INTERNAL:
            self.log.exception("request %s broke", request_id)
        else:
            self.log.warning("Invalid request from ip=%s: %s", (addr or [""])[0], exc)
        if req is None and isinstance(exc, InvalidHeader):
            req = exc.req
        if req is not None:
            self._log_access(req, client, addr, refusal, request_id)
        try:
            util.write_nonblock(client, refusal.answer(request_id))
        except OSError:
            self.log.debug("nobody took the answer to %s", request_id)

    def _log_access(
        self, req: Any, client: Any, addr: Any, refusal: Refusal, request_id: str
    ) -> None:
        environ = default_environ(req, client, self.cfg) | {"REMOTE_ADDR": (addr or [""])[0]}
        response = Response(req, client, self.cfg)
        response.start_response(
            f"{refusal.status.value} {refusal.status.phrase}", [("X-Request-ID", request_id)]
        )
        response.sent = len(refusal.body(request_id))
        self.log.access(response, req, environ, timedelta())
