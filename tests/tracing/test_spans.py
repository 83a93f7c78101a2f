"""The spans of requests, doorbells and attempts."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection

from jobs import storage
from jobs.engine import runner
from jobs.engine.doorbell import log_lost_doorbells
from jobs.engine.doorbell_message import messages
from jobs.engine.submission import submit_job
from jobs.errors import StorageUnavailable
from jobs.kinds.registry import kind_doorbell
from jobs.lib.tracing.trace_ids import AttemptIds
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.workspace import Workspace

pytest.importorskip("opentelemetry.sdk")
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode

from jobs.lib.tracing import spans as tracing_spans
from jobs.lib.tracing import tracer_provider
from jobs.lib.tracing.log_fields import trace_fields
from jobs.lib.tracing.requests import RequestSpan, take_job_id
from jobs.lib.tracing.statements import statement_attributes
from jobs.lib.tracing.tracer_provider import _PlannedSampler

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

pytestmark = pytest.mark.django_db(transaction=True)
CLIENT = "4bf92f3577b34da6a3ce929d0e0e4736"


def run(job: DownloadJob, traceparent: str = "") -> DownloadJob:
    runner.run_job(job.pk, task_id="task-1", worker="w@test", traceparent=traceparent)
    job.refresh_from_db()
    return job


def named(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    found = [span for span in exporter.get_finished_spans() if span.name.startswith(name)]
    assert len(found) == 1, [span.name for span in exporter.get_finished_spans()]
    return found[0]


def linked(span: ReadableSpan) -> set[tuple[int, int]]:
    return {(link.context.trace_id, link.context.span_id) for link in span.links}


def test_attempt_continues_the_trace_of_its_doorbell(
    job: DownloadJob, exporter: InMemorySpanExporter
) -> None:
    bell = kind_doorbell(job)
    assert bell.span
    bell.span.end()

    run(job, bell.span.traceparent)

    send, process = named(exporter, "send"), named(exporter, "process")
    assert process.parent
    assert process.parent.span_id == send.context.span_id
    assert (send.kind, process.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert {span.context.trace_id for span in exporter.get_finished_spans()} == {job.pk.int}
    assert named(exporter, "build").parent == process.context
    assert named(exporter, "claim").parent == process.context
    assert process.attributes["downloads.job.status"] == Status.COMPLETED


def test_attempt_without_a_traced_doorbell_is_in_the_trace_of_the_job(
    job: DownloadJob, exporter: InMemorySpanExporter
) -> None:
    run(job, traceparent="")

    process = named(exporter, "process")
    assert (process.context.trace_id, process.parent) == (job.pk.int, None)


def test_failed_attempt_has_its_code_and_the_next_one_a_link_to_it(
    job: DownloadJob,
    exporter: InMemorySpanExporter,
    build_with: Callable[..., None],
    broker: Mock,
) -> None:
    def fail(loaded: Any, work: Workspace) -> None:
        raise StorageUnavailable("secret.pdf could not be read")

    build_with(fail)
    run(job)
    first = named(exporter, "process")
    exporter.clear()
    DownloadJob.objects.filter(pk=job.pk).update(available_at="2000-01-01T00:00Z")
    bell = kind_doorbell(job)
    assert bell.span
    bell.span.end()
    run(job, bell.span.traceparent)

    send, second = named(exporter, "send"), named(exporter, "process")
    assert first.status.status_code == StatusCode.ERROR
    assert first.attributes["error.type"] == job.error_code
    assert second.context.trace_id == AttemptIds.of(job.pk, 2).trace_id != job.pk.int
    assert linked(second) == linked(send) == {(first.context.trace_id, first.context.span_id)}
    every = [span.to_json() for span in exporter.get_finished_spans()]
    assert not [text for text in every if "secret.pdf" in text]


def test_late_doorbell_of_an_earlier_attempt_is_linked(
    job: DownloadJob, exporter: InMemorySpanExporter
) -> None:
    DownloadJob.objects.filter(pk=job.pk).update(attempt=1)

    run(job, traceparent=f"00-{job.pk.hex}-00f067aa0ba902b7-01")

    process = named(exporter, "process")
    assert process.context.trace_id == AttemptIds.of(job.pk, 2).trace_id
    assert (job.pk.int, 0x00F067AA0BA902B7) in linked(process)


def test_attempt_that_is_not_sampled_has_no_spans(
    job: DownloadJob, exporter: InMemorySpanExporter
) -> None:
    run(job, traceparent=f"00-{job.pk.hex}-00f067aa0ba902b7-00")

    assert job.status == Status.COMPLETED
    assert exporter.get_finished_spans() == ()


def test_retry_by_a_person_is_linked_with_the_request(
    job: DownloadJob, exporter: InMemorySpanExporter, broker: Mock
) -> None:
    run(job)
    job.expires_at = None
    DownloadJob.objects.filter(pk=job.pk).update(status=Status.CANCELLED)
    job.refresh_from_db()
    exporter.clear()

    request = RequestSpan("POST", "/retry", "http", {})
    with request.current():
        bell = kind_doorbell(job)
    request.end(route="/retry", status=202, request_id="r")
    assert bell.span
    bell.span.end()

    server, send = named(exporter, "POST"), named(exporter, "send")
    assert send.context.trace_id != server.context.trace_id
    assert (server.context.trace_id, server.context.span_id) in linked(send)
    assert linked(server) == {(send.context.trace_id, send.context.span_id)}


def test_job_has_the_id_of_its_requests_trace(
    alice: User, exporter: InMemorySpanExporter, broker: Mock
) -> None:
    request = RequestSpan("POST", "/v1/jobs", "http", {})
    with request.current():
        first, _ = submit_job(owner=alice, kind="bundle", params={"file_ids": []})
        second, _ = submit_job(owner=alice, kind="bundle", params={"file_ids": []})
    request.end(route="/v1/jobs", status=202, request_id="r")

    assert named(exporter, "POST").context.trace_id == first.pk.int
    assert second.pk != first.pk
    assert first.pk.version == 4


def test_a_clients_trace_id_never_becomes_the_id_of_a_job(exporter: InMemorySpanExporter) -> None:
    headers = {"traceparent": f"00-{CLIENT}-00f067aa0ba902b7-01"}

    with RequestSpan("POST", "/v1/jobs", "http", headers).current():
        assert take_job_id() is None


def test_lost_doorbell_is_an_error(queued_job: DownloadJob, exporter: InMemorySpanExporter) -> None:
    log_lost_doorbells([kind_doorbell(queued_job)], ConnectionError("redis://:secret@host"))

    send = named(exporter, "send")
    assert send.attributes["error.type"] == "ConnectionError"
    assert "secret" not in send.to_json()


def test_message_carries_the_header(
    queued_job: DownloadJob, exporter: InMemorySpanExporter
) -> None:
    bell = kind_doorbell(queued_job)
    assert bell.span

    ((text,),) = messages.by_list([bell]).values()

    assert f'"headers": {{"traceparent": "{bell.span.traceparent}", ' in text


def test_calls_of_threads_belong_to_the_phase(
    job: DownloadJob, exporter: InMemorySpanExporter, build_with: Callable[..., None], bucket: Any
) -> None:
    def build(loaded: Any, work: Workspace) -> None:
        with ThreadPoolExecutor(1) as threads:
            threads.submit(storage.ping_bucket).result()
        work.output.write(b"x")

    build_with(build)
    run(job)

    assert named(exporter, "S3/HeadBucket").parent == named(exporter, "build").context


def test_calls_above_the_limit_are_only_counted(
    job: DownloadJob,
    exporter: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracing_spans, "MAX_CALLS", 2)

    run(job)

    calls = [s for s in exporter.get_finished_spans() if s.kind == SpanKind.CLIENT]
    assert len(calls) == 2 + 1  # and the claim
    assert named(exporter, "process").attributes["downloads.calls_without_span"] > 3


def test_a_builders_own_spans_belong_to_the_phase(
    job: DownloadJob, exporter: InMemorySpanExporter, build_with: Callable[..., None]
) -> None:
    parents = []

    def build(loaded: Any, work: Workspace) -> None:
        parents.append(trace.get_current_span().get_span_context())
        work.output.write(b"x")

    build_with(build)
    run(job)

    assert parents == [named(exporter, "build").context]
    assert not trace.get_current_span().get_span_context().is_valid


def test_statements_outside_of_traces_have_no_spans(
    job: DownloadJob, exporter: InMemorySpanExporter
) -> None:
    list(DownloadJob.objects.all())
    storage.ping_bucket()

    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize(
    ("sql", "summary"),
    [
        (
            'SELECT "jobs_downloadjob"."id" FROM "jobs_downloadjob" WHERE x = %s',
            "SELECT jobs_downloadjob",
        ),
        ("SELECT a FROM unnest(%s) AS a", "SELECT"),
        ('INSERT INTO "jobs_jobevent" ("a") VALUES (%s)', "INSERT jobs_jobevent"),
        (
            'WITH moved AS (UPDATE "jobs_downloadjob" SET "a" = %s) INSERT INTO "jobs_jobevent"',
            "UPDATE jobs_downloadjob",
        ),
        ('UPDATE "jobs_downloadjob" SET "a" = %s', "UPDATE jobs_downloadjob"),
    ],
)
def test_statement_has_its_table_and_no_values(sql: str, summary: str) -> None:
    attributes = statement_attributes(sql, connection, with_text=True)

    assert attributes["db.query.summary"] == summary
    assert attributes["db.query.text"] == sql
    without = statement_attributes("SELECT 'a secret'", connection, with_text=False)
    assert "db.query.text" not in without


def test_lines_of_the_log_have_the_ids(exporter: InMemorySpanExporter) -> None:
    assert trace_fields() == {}
    request = RequestSpan("POST", "/v1/jobs", "http", {"traceparent": f"00-{CLIENT}-{'1' * 16}-01"})

    with request.current():
        assert trace_fields()["trace_id"] == CLIENT


def test_a_ratio_samples_that_share_of_jobs() -> None:
    sampler = _PlannedSampler(TraceIdRatioBased(0.25))

    decisions = [
        sampler.should_sample(Context(), uuid4().int, "process").decision.is_sampled()
        for _ in range(4_000)
    ]

    assert 0.2 < sum(decisions) / len(decisions) < 0.3


def test_all_attempts_of_a_job_are_sampled_alike() -> None:
    sampler = _PlannedSampler(TraceIdRatioBased(0.5))

    for job_id in (uuid4() for _ in range(20)):
        ids = [AttemptIds.of(job_id, attempt).trace_id for attempt in range(1, 6)]
        decisions = {sampler.should_sample(Context(), each, "x").decision for each in ids}
        assert len(decisions) == 1


def test_stop_does_not_wait_for_a_collector_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    away = OTLPSpanExporter("http://127.0.0.1:1/v1/traces", timeout=3)
    monkeypatch.setattr(tracer_provider, "STOP_SECONDS", 0.2)
    tracer_provider.use_tracer_provider(tracer_provider.new_tracer_provider([away]))
    RequestSpan("POST", "/v1/jobs", "http", {}).end(route="", status=202, request_id="r")
    began = time.monotonic()

    tracer_provider.stop_tracing()

    assert time.monotonic() - began < 2
    tracer_provider.use_tracer_provider(None)
