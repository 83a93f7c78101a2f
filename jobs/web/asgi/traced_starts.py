"""Starts with a span for the request and one for its statement. Used if TRACING is true."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.core.handlers.wsgi import WSGIHandler
from django.db import connection

from jobs.engine import submission_sql as sql
from jobs.lib.tracing.requests import RequestSpan
from jobs.lib.tracing.spans import end_call, start_call
from jobs.lib.tracing.statements import statement_attributes
from jobs.models import JobRow
from jobs.web.asgi.rate_counter import RateCounter
from jobs.web.asgi.request import Scope, Send
from jobs.web.asgi.starts import StartRecorder, Starts


class _Request:
    """The request that a task of the event loop answers."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.began_ns = time.time_ns()
        self.span: RequestSpan | None = None  # once it is sure that a job is to be recorded
        self.request_id = ""


_request: ContextVar[_Request] = ContextVar("request")


class TracedStarts(Starts):
    """A request that is left to Django has no span here: the middleware traces it."""

    def __init__(self, counter: RateCounter, django: WSGIHandler) -> None:
        super().__init__(counter, django)
        self._recorder = TracedRecorder()

    async def __call__(self, scope: Scope, body: bytes, send: Send) -> bool:
        request, statuses = _Request(scope), []

        async def send_traced(event: MutableMapping[str, Any]) -> None:
            statuses.append(event.get("status", 0))
            await send(event)

        token = _request.set(request)
        try:
            is_answered = await super().__call__(scope, body, send_traced)
        finally:
            _request.reset(token)
        if is_answered and request.span:
            request.span.end(route=scope["path"], status=statuses[0], request_id=request.request_id)
        return is_answered


class TracedRecorder(StartRecorder):
    async def record(self, submission: sql.Submission) -> tuple[str, JobRow] | None:
        request = _request.get()
        scope = request.scope
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        request.request_id = submission.request_id
        request.span = RequestSpan(
            scope["method"], scope["path"], scope["scheme"], headers,
            job_id=UUID(str(submission.job_id)), start_time=request.began_ns,
        )  # fmt: skip
        with request.span.current():
            return await super().record(submission)

    async def _row_of(self, submission: sql.Submission) -> Any:
        attributes = statement_attributes(sql.SUBMIT.text, connection, with_text=True)
        span = start_call("submit", attributes)
        row = await super()._row_of(submission)
        if row is not None:  # otherwise Django answers
            end_call(span)
        return row
