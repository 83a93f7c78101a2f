"""Starting a bundle: `POST /v1/download/initiate` with the numbers of files, perhaps with a key.

One round trip records the job. Starts that come while one is under way go into the next
transaction, together.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from rest_framework.exceptions import ParseError

from jobs.engine import quota
from jobs.engine import submission_sql as sql
from jobs.engine.submission import submission_of
from jobs.kinds.registry import doorbell
from jobs.models import JobRow
from jobs.terms import Terms
from jobs.web import rates
from jobs.web.api_responses import KEY, SOON, TRY_AGAIN, problem
from jobs.web.asgi.batcher import Batcher
from jobs.web.asgi.callers import Caller
from jobs.web.asgi.doorbells import Doorbells
from jobs.web.asgi.jobs import shown
from jobs.web.asgi.postgres import PLANS, Command, Pipeline, Refused, Row, Unavailable, rows
from jobs.web.asgi.rate_counter import RateCounter
from jobs.web.asgi.request import JSON, Headers, NativeRequest, Scope, Send
from jobs.web.asgi.response import FixedHeaders, send_json
from jobs.web.parsers import loads
from jobs.web.problems import PROBLEM
from jobs.web.rates import Count, RatesUnknown
from jobs.web.representation import status_url
from jobs.web.serializers.fields import MAX_FILE_ID, MIN_FILE_ID

ADDRESS = "/v1/download/initiate"
MAX_BODY_BYTES = 32 * 1024  # 2,000 numbers take the loop half a millisecond; more are Django's
MAX_NAME_CHARS = 200
MAX_BATCH = 32  # starts in one transaction
# An owner whose lock another request holds is left to Django, whose threads may wait for it.
OPTIONS = f"{PLANS} -c lock_timeout=100"
LEFT_OPEN = Terms(priority=None, email=None, webhook=None)  # to the owner's preferences

NEW = sql.NEW.encode()
RECORDED = {NEW, sql.REPLAYED.encode()}


class Starts:
    """Answers 202; what it is not sure of is left to Django."""

    def __init__(self, counter: RateCounter, django: WSGIHandler) -> None:
        self._counter = counter
        self._recorder = Recorder()
        self._headers = FixedHeaders(django, "POST", ADDRESS)

    async def __call__(self, scope: Scope, body: bytes, send: Send) -> bool:
        """False where nothing was sent."""
        request = NativeRequest.of(scope)
        if not request or not (caller := request.caller):
            return False
        submission = _submission(request, caller, body)
        if submission is None:
            return False
        counts = await self._count(request, caller)
        if counts is None:
            return False
        fixed = self._headers.of(request)
        try:
            found = await self._recorder.record(submission)
        except Unavailable:
            await _send_unavailable(send, request, fixed, rates.headers(counts))
            return True
        if found is None:
            return False
        code, job = found
        own = {"Location": status_url(job), "Retry-After": "3"} | rates.headers(counts)
        if code == sql.REPLAYED:
            own["Idempotency-Replayed"] = "true"
        members = shown(job) | {"totalFileIds": len(submission.params["file_ids"])}
        await send_json(send, request, HTTPStatus.ACCEPTED, fixed, own, members)
        return True

    def close(self) -> None:
        self._recorder.close()

    async def _count(self, request: NativeRequest, caller: Caller) -> list[Count] | None:
        """None where a rate is exceeded. What was counted is not counted again by Django."""
        forwarded = request.text(b"x-forwarded-for")
        callers = rates.callers(request.peer, forwarded, caller.user_id)
        try:
            counts = await self._counter.count("initiate", callers)
        except RatesUnknown:
            return []
        request.scope["state"]["rate_counts"] = {"initiate": counts}
        return None if any(count.is_exceeded for count in counts) else counts


def is_start(scope: Scope) -> bool:
    """Whether its body is worth reading here."""
    if scope["method"] != "POST" or scope["path"] != ADDRESS or scope["query_string"]:
        return False
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    is_short = length.isdigit() and 0 < int(length[:9]) <= MAX_BODY_BYTES
    return is_short and headers.get(b"content-type", b"").lower() == JSON


def _submission(request: NativeRequest, caller: Caller, body: bytes) -> sql.Submission | None:
    """What is asked for; None unless it is certain that Django would take it as it is."""
    key = request.text(b"idempotency-key")
    if b"idempotency-key" in request.headers and not KEY.fullmatch(key):
        return None
    try:
        asked = loads(body)
    except ParseError:
        return None
    if not isinstance(asked, dict) or not {"file_ids"} <= asked.keys() <= {"file_ids", "name"}:
        return None
    file_ids, name = asked["file_ids"], asked.get("name", "")
    if not (isinstance(file_ids, list) and 0 < len(file_ids) <= settings.MAX_FILES_PER_BUNDLE):
        return None
    if not all(type(each) is int and MIN_FILE_ID <= each <= MAX_FILE_ID for each in file_ids):
        return None
    if "name" in asked and not _is_plain_name(name):
        return None
    return submission_of(
        caller.user_id,
        "bundle",
        {"file_ids": list(dict.fromkeys(file_ids))},
        name,
        LEFT_OPEN,
        request_id=request.request_id,
        key=key,
        password_md5=caller.password_digest,
    )


def _is_plain_name(name: Any) -> bool:
    """Whether a serializer would leave it alone."""
    is_text = isinstance(name, str) and name.isprintable() and name == name.strip()
    return is_text and 0 < len(name) <= MAX_NAME_CHARS


async def _send_unavailable(
    send: Send, request: NativeRequest, fixed: Headers, own: dict[str, str]
) -> None:
    """The database may have recorded the job, and did not say so: Django would do it again."""
    body = problem(request, HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", TRY_AGAIN)
    own = own | SOON
    await send_json(send, request, body["status"], fixed, own, body, content_type=PROBLEM)


class Recorder:
    """Records jobs, several in one transaction where several come at once."""

    def __init__(self) -> None:
        statements = {each.name.encode(): each.text for each in (sql.LOCK, sql.SUBMIT)}
        self._pipeline = Pipeline(statements, options=OPTIONS)
        self._batcher = Batcher(self._record, max_concurrent=1, max_size=MAX_BATCH)
        self._doorbells = Doorbells()

    async def record(self, submission: sql.Submission) -> tuple[str, JobRow] | None:
        """The code and the job, which is durable; None where Django shall do it, or say why not.

        Raises Unavailable where it may be recorded, and Postgres did not say so.
        """
        row = await self._batcher.submit(submission)
        if row is None:
            return None
        code, queued, *values = row
        if submission.queued is None and queued is not None:
            quota.depth.record(int(queued))
        if code not in RECORDED or values[sql.COLUMNS.index("artifact_id")]:
            return None
        job = JobRow.of(sql.COLUMNS, values)
        if code == NEW and job.is_due:
            quota.depth.add()
            self._doorbells.ring(doorbell(job))
        return code.decode(), job

    def close(self) -> None:
        self._pipeline.close()
        self._doorbells.close()

    async def _record(self, submissions: list[sql.Submission]) -> list[Row | None]:
        try:
            return await self._transact(submissions)
        except Refused:  # for one of them: nothing was recorded
            if len(submissions) == 1:
                return [None]  # Django says why, as that the owner is busy
            return [(await self._record([each]))[0] for each in submissions]
        except Unavailable as error:
            if error.may_have_run:
                raise
            return [None] * len(submissions)

    async def _transact(self, submissions: list[sql.Submission]) -> list[Row | None]:
        """Record all of them in one transaction. Returns the row of SUBMIT for each."""
        commands: list[Command] = [
            (statement.name.encode(), [parameter.encode()])
            for statement, parameter in sql.batch(submissions)
        ]
        results = await self._pipeline.run(commands)
        by_id = {row[0]: row[1:] for row in rows(results[-1])}
        return [by_id[str(each.job_id).encode()] for each in submissions]
