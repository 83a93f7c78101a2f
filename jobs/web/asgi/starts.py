"""Start jobs: `POST` to the URL of a kind that has plain requests.

One round trip records a job. Requests that arrive meanwhile go into the next transaction together.
"""

from __future__ import annotations

from http import HTTPStatus

from django.core.handlers.wsgi import WSGIHandler
from django.urls import reverse
from rest_framework.exceptions import ParseError

from jobs.engine import quota
from jobs.engine import submission_sql as sql
from jobs.engine.submission import submission_of
from jobs.kinds.base import Kind
from jobs.kinds.registry import KINDS, kind_doorbell
from jobs.models import JobRow
from jobs.models.move_log import log_submission
from jobs.terms import Terms
from jobs.web import rates
from jobs.web.asgi.batcher import Batcher
from jobs.web.asgi.callers import Caller
from jobs.web.asgi.doorbells import Doorbells
from jobs.web.asgi.job_source import read_job_body
from jobs.web.asgi.key_starts import KEY_START, KeyStarts
from jobs.web.asgi.key_statements import key_start_statement
from jobs.web.asgi.postgres import PLANS, PostgresPipeline
from jobs.web.asgi.postgres_commands import (
    Command,
    PostgresUnavailable,
    Row,
    StatementFailed,
    command_rows,
)
from jobs.web.asgi.rate_counter import RateCounter
from jobs.web.asgi.request import JSON, Headers, NativeRequest, Scope, Send
from jobs.web.asgi.response import FixedResponseHeaders, send_json_response
from jobs.web.error_responses import RETRY_SOON, TRY_AGAIN, error_response_body
from jobs.web.idempotency import KEY
from jobs.web.key_uses import KEY_USES
from jobs.web.parsers import parse_json
from jobs.web.problem_counter import count_problem
from jobs.web.problems import PROBLEM
from jobs.web.rate_counting import RatesUnknown
from jobs.web.rates import RateCount
from jobs.web.representation import represent_status_url

MAX_BODY_BYTES = 32 * 1024  # 2,000 ids block the loop for half a millisecond; Django parses more
MAX_BATCH = 32  # jobs in one transaction
# Another request may hold the owner's lock. Django's threads can wait for it.
OPTIONS = f"{PLANS} -c lock_timeout=100"
DEFAULT_TERMS = Terms(priority=None, email=None, webhook=None)  # the owner's preferences

NEW = sql.NEW.encode()
RECORDED = {NEW, sql.REPLAYED.encode()}


class Starts:
    """Sends 202. Leaves everything else to Django."""

    def __init__(self, counter: RateCounter, django: WSGIHandler) -> None:
        self._counter = counter
        self._recorder = StartRecorder()
        kinds = [kind for kind in KINDS.values() if kind.has_plain_requests]
        self._kinds = {reverse(kind.api_url_name): kind for kind in kinds}
        self._headers = {path: FixedResponseHeaders(django, "POST", path) for path in self._kinds}

    def is_start(self, scope: Scope) -> bool:
        """Return True if the request may be answered here, so that its body has to be read."""
        if scope["path"] not in self._kinds or scope["method"] != "POST" or scope["query_string"]:
            return False
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        is_short = length.isdigit() and 0 < int(length[:9]) <= MAX_BODY_BYTES
        return is_short and headers.get(b"content-type", b"").lower() == JSON

    async def __call__(self, scope: Scope, body: bytes, send: Send) -> bool:
        """Return False if nothing was sent."""
        request = NativeRequest.of(scope)
        if not request or not (caller := request.caller):
            return False
        terms = DEFAULT_TERMS
        if caller.key:
            if not (found := await self._recorder.keys.find(caller.key)):
                return False
            caller, terms = found
        kind = self._kinds[scope["path"]]
        submission = _submission(request, kind, caller, terms, body)
        if submission is None:
            return False
        counts = await self._count(request, kind, caller)
        if counts is None:
            return False
        fixed = self._headers[scope["path"]].of(request)
        try:
            recorded = await self._recorder.record(submission)
        except PostgresUnavailable:
            await _send_unavailable(send, request, fixed, rates.rate_headers(counts))
            return True
        if recorded is None:
            return False
        code, job = recorded
        if caller.key:
            KEY_USES.record(caller.key)
        headers = {"Location": represent_status_url(job), "Retry-After": "3"} | rates.rate_headers(
            counts
        )
        if code == sql.REPLAYED:
            headers["Idempotency-Replayed"] = "true"
        members = read_job_body(job) | kind.accepted_members(submission.params)
        await send_json_response(send, request, HTTPStatus.ACCEPTED, fixed, headers, members)
        return True

    def close(self) -> None:
        self._recorder.close()

    async def _count(
        self, request: NativeRequest, kind: Kind, caller: Caller
    ) -> list[RateCount] | None:
        """Count the request. Return None if a rate is exceeded. Django does not count it again."""
        forwarded = request.text(b"x-forwarded-for")
        callers = rates.rated_callers(request.peer, forwarded, caller.user_id)
        try:
            counts = await self._counter.count(kind.rate, callers)
        except RatesUnknown:
            return []
        request.scope["state"]["rate_counts"] = {kind.rate: counts}
        return None if any(count.is_exceeded for count in counts) else counts


def _submission(
    request: NativeRequest, kind: Kind, caller: Caller, terms: Terms, body: bytes
) -> sql.Submission | None:
    """Return the submission; None unless Django would surely accept the request as it is."""
    key = request.text(b"idempotency-key")
    if b"idempotency-key" in request.headers and not KEY.fullmatch(key):
        return None
    try:
        data = parse_json(body)
    except ParseError:
        return None
    plain = kind.plain_request(data)
    if plain is None:
        return None
    params, name = plain
    return submission_of(
        caller.user_id,
        kind.name,
        params,
        name,
        terms,
        request_id=request.request_id,
        key=key,
        password_md5=caller.password_digest,
    )


async def _send_unavailable(
    send: Send, request: NativeRequest, fixed: Headers, headers: dict[str, str]
) -> None:
    """Send 503: the job may be recorded already, and Django would record it again."""
    count_problem("overloaded")
    body = error_response_body(request, HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", TRY_AGAIN)
    headers = headers | RETRY_SOON
    await send_json_response(
        send, request, body["status"], fixed, headers, body, content_type=PROBLEM
    )


class StartRecorder:
    """Records jobs, those of simultaneous requests in one transaction."""

    def __init__(self) -> None:
        statements = {each.name.encode(): each.text for each in (sql.LOCK, sql.SUBMIT)}
        statements[KEY_START] = key_start_statement()
        self._pipeline = PostgresPipeline(statements, options=OPTIONS)
        self._batcher = Batcher(self._record, max_concurrent=1, max_size=MAX_BATCH)
        self._doorbells = Doorbells()
        self.keys = KeyStarts(self._pipeline)

    async def record(self, submission: sql.Submission) -> tuple[str, JobRow] | None:
        """Record a job and commit. Return the code and the job; None if Django has to answer.

        Raises PostgresUnavailable if it is not known whether the job is recorded.
        """
        row = await self._row_of(submission)
        if row is None:
            return None
        code, queued, *values = row
        if submission.queued is None and queued is not None:
            quota.depth.record(int(queued))
        if code not in RECORDED or values[sql.COLUMNS.index("artifact_id")]:
            return None
        job = JobRow.of(sql.COLUMNS, values)
        if code == NEW:
            log_submission(job.id, job.kind, submission.request_id, submission.api_key)
            if job.is_due:
                quota.depth.add()
                self._doorbells.ring(kind_doorbell(job))
        return code.decode(), job

    async def _row_of(self, submission: sql.Submission) -> Row | None:
        """Return the row of SUBMIT; None if Django has to answer."""
        return await self._batcher.submit(submission)

    def close(self) -> None:
        self._pipeline.close()
        self._doorbells.close()

    async def _record(self, submissions: list[sql.Submission]) -> list[Row | None]:
        try:
            return await self._transact(submissions)
        except StatementFailed:  # for one of them: nothing was recorded
            if len(submissions) == 1:
                return [None]  # Django sends the error, such as that the owner is busy
            return [(await self._record([each]))[0] for each in submissions]
        except PostgresUnavailable as error:
            if error.may_have_run:
                raise
            return [None] * len(submissions)

    async def _transact(self, submissions: list[sql.Submission]) -> list[Row | None]:
        """Record all of them in one transaction. Return the row of SUBMIT for each."""
        commands: list[Command] = [
            (statement.name.encode(), [parameter.encode()])
            for statement, parameter in sql.submission_batch_sql(submissions)
        ]
        results = await self._pipeline.run(commands)
        by_id = {row[0]: row[1:] for row in command_rows(results[-1])}
        return [by_id[str(each.job_id).encode()] for each in submissions]
