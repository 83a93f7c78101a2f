"""The traces of the real processes, as a collector receives them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User

from jobs.lib.tracing.trace_ids import trace_id_text
from jobs.models import StoredFile
from tests.live import Live, on_this_database, until

pytest.importorskip("opentelemetry.sdk")
from tests.tracing.receiver import ReceivedSpan, Receiver, receiver

pytestmark = pytest.mark.django_db(transaction=True)
CLIENT = "4bf92f3577b34da6a3ce929d0e0e4736"  # the trace of a client


@pytest.fixture(scope="module")
def collector() -> Iterator[Receiver]:
    """Return the spans of all tests, each with jobs of its own."""
    with receiver() as received:
        yield received


@contextmanager
def service(folder: Path, collector: Receiver, *, delay: int) -> Iterator[Live]:
    own = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": str(delay),
        "LOG_JSON": "true",
    }
    live = Live(folder, on_this_database() | own)
    try:
        yield live
    finally:
        live.stop()


@pytest.fixture(scope="module")
def web_and_worker(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory, collector: Receiver
) -> Iterator[Live]:
    with service(tmp_path_factory.mktemp("live"), collector, delay=200) as live:
        live.start("worker")
        live.start("web")
        yield live


@pytest.fixture
def live(web_and_worker: Live, alice: User) -> Live:
    web_and_worker.sign_in(alice)
    return web_and_worker


def post(live: Live, path: str, body: Any, **headers: str) -> Any:
    answer = live.session.post(f"{live.url}{path}", json=body, headers=headers, timeout=10)
    assert answer.status_code == 202, answer.text
    return answer.json()["jobId"]


def whole_trace(live: Live, collector: Receiver, trace_id: str) -> list[ReceivedSpan]:
    """Return the spans of the trace, once the worker's last one has arrived."""

    def found() -> list[ReceivedSpan]:
        spans = collector.of_trace(trace_id)
        return spans if {"SERVER", "CONSUMER"} <= {span.kind for span in spans} else []

    return until(found, 30, lambda: f"{[*map(str, collector)]}\n{live.logs()}")


PLAIN, TO_DJANGO = {}, {"Accept": "application/json, text/html"}


@pytest.mark.parametrize("headers", [PLAIN, TO_DJANGO], ids=["event loop", "Django"])
def test_one_trace_from_the_request_to_the_stored_file(
    live: Live, collector: Receiver, stored_files: list[StoredFile], headers: dict[str, str]
) -> None:
    job_id = post(live, "/v1/download/initiate", {"file_ids": [70000, 70001, 70002]}, **headers)
    live.wait_for(job_id, "completed")

    spans = whole_trace(live, collector, UUID(job_id).hex)
    by_id = {span.span_id: span for span in spans}
    tree = {(str(span), str(by_id.get(span.parent_id, ""))) for span in spans}
    submit = "SELECT" if headers else "submit"
    assert {
        ("web: POST /v1/download/initiate", ""),
        ("web: send download-jobs", "web: POST /v1/download/initiate"),
        ("worker: process download-jobs", "web: send download-jobs"),
        ("worker: claim", "worker: process download-jobs"),
        ("worker: load bundle", "worker: process download-jobs"),
        ("worker: build bundle", "worker: process download-jobs"),
        ("worker: store bundle", "worker: process download-jobs"),
        ("worker: S3/GetObject", "worker: build bundle"),
        ("worker: S3/PutObject", "worker: store bundle"),
        ("worker: SELECT jobs_storedfile", "worker: load bundle"),
    } <= tree
    assert any(
        name.startswith(f"web: {submit}") and parent.startswith("web: POST")
        for name, parent in tree
    )
    assert {span.kind for span in spans} == {
        "SERVER", "PRODUCER", "CONSUMER", "INTERNAL", "CLIENT",
    }  # fmt: skip
    assert not any(span.is_error or span.links for span in spans)


def test_attributes_follow_the_conventions_and_name_no_file(
    live: Live, collector: Receiver, stored_files: list[StoredFile]
) -> None:
    job_id = post(live, "/v1/download/initiate", {"file_ids": [70000], "name": "my-secret.zip"})
    live.wait_for(job_id, "completed")

    by_kind = {span.kind: span for span in whole_trace(live, collector, UUID(job_id).hex)}
    for kind, operation in [("PRODUCER", "send"), ("CONSUMER", "process")]:
        assert (
            by_kind[kind].attributes.items()
            >= {
                "messaging.system": "redis",
                "messaging.operation.name": operation,
                "messaging.operation.type": operation,
                "messaging.destination.name": "download-jobs",
                "messaging.message.conversation_id": job_id,
                "downloads.job.attempt": 1,
            }.items()
        )
    assert by_kind["SERVER"].attributes["http.response.status_code"] == 202
    everything = json.dumps([span.attributes for span in collector])
    assert not re.search(r"my-secret|report\.pdf|X-Amz|Bearer|alice", everything)


def test_a_client_trace_is_linked_with_the_trace_of_the_job(
    live: Live, collector: Receiver, stored_files: list[StoredFile]
) -> None:
    sampled = f"00-{CLIENT}-00f067aa0ba902b7-01"

    job_id = post(live, "/v1/download/initiate", {"file_ids": [70001]}, traceparent=sampled)
    live.wait_for(job_id, "completed")

    until(lambda: len(collector.of_trace(CLIENT)) >= 2, 30, live.logs)
    (server,) = [span for span in collector.of_trace(CLIENT) if span.kind == "SERVER"]
    spans = until(lambda: collector.of_trace(UUID(job_id).hex), 30, live.logs)
    (send,) = [span for span in spans if span.kind == "PRODUCER"]
    assert (server.kind, server.parent_id) == ("SERVER", "00f067aa0ba902b7")
    assert server.links == [(send.trace_id, send.span_id)]
    assert send.links == [(server.trace_id, server.span_id)]


def test_the_dispatcher_sends_in_the_trace_of_the_job(
    tmp_path: Path, alice: User, collector: Receiver, stored_files: list[StoredFile]
) -> None:
    with service(tmp_path, collector, delay=200) as live:
        live.sign_in(alice)
        live.start("web", REDIS_URL="redis://127.0.0.1:1/0")  # its doorbells are lost
        live.start("dispatcher")
        live.start("worker")
        job_id = post(live, "/v1/download/initiate", {"file_ids": [70001]})
        live.wait_for(job_id, "completed")

    spans = collector.of_trace(UUID(job_id).hex)
    sends = {span.role: span for span in spans if span.kind == "PRODUCER"}
    (process,) = [span for span in spans if span.kind == "CONSUMER"]
    assert sends["web"].is_error
    assert process.parent_id == sends["dispatcher"].span_id


def test_a_retry_is_a_trace_with_a_link(
    live: Live, collector: Receiver, stored_files: list[StoredFile], bucket: Any
) -> None:
    bucket.client.delete_object(Bucket=bucket.bucket_name, Key=stored_files[1].key)
    job_id = post(live, "/v1/download/initiate", {"file_ids": [70001]})
    live.wait_for(job_id, "failed")
    (first,) = [span for span in whole_trace(live, collector, UUID(job_id).hex)
                if span.kind == "CONSUMER"]  # fmt: skip
    answer = live.session.post(f"{live.url}/v1/download/{job_id}/retry", timeout=10)
    assert answer.status_code == 202, answer.text
    second_id = trace_id_text(job_id, 2)
    ends = {"PRODUCER", "CONSUMER"}  # of the message; each process sends its own
    until(lambda: ends <= {s.kind for s in collector.of_trace(second_id)}, 30, live.logs)

    spans = {span.kind: span for span in collector.of_trace(second_id)}
    assert first.is_error
    assert (first.trace_id, first.span_id) in spans["PRODUCER"].links
    assert (first.trace_id, first.span_id) in spans["CONSUMER"].links
    assert spans["CONSUMER"].parent_id == spans["PRODUCER"].span_id


def test_polls_have_no_spans_and_lines_of_the_log_have_ids(
    live: Live, collector: Receiver, stored_files: list[StoredFile]
) -> None:
    job_id = post(live, "/v1/download/initiate", {"file_ids": [70000]})
    live.wait_for(job_id, "completed")
    whole_trace(live, collector, UUID(job_id).hex)

    assert all(span.name.startswith("POST") for span in collector if span.kind == "SERVER")
    lines = [
        json.loads(line) for each in live.processes for line in each.log.read_text().splitlines()
    ]
    own = {line["event"]: line for line in lines if line.get("job_id") == job_id}
    assert own["submitted"]["trace_id"] == own["succeeded"]["trace_id"] == UUID(job_id).hex


def test_the_last_spans_are_sent_when_processes_stop(
    tmp_path: Path, alice: User, collector: Receiver, stored_files: list[StoredFile]
) -> None:
    with service(tmp_path, collector, delay=600_000) as live:
        live.sign_in(alice)
        live.start("worker")
        live.start("web")
        job_id = post(live, "/v1/download/initiate", {"file_ids": [70000]})
        live.wait_for(job_id, "completed")
        assert not collector.of_trace(UUID(job_id).hex)

    roles = {span.role for span in collector.of_trace(UUID(job_id).hex)}
    assert roles == {"web", "worker"}


def test_not_sampled_means_no_span_in_any_process(
    live: Live, collector: Receiver, stored_files: list[StoredFile]
) -> None:
    client = uuid4().hex
    not_sampled = f"00-{client}-00f067aa0ba902b7-00"

    job_id = post(live, "/v1/download/initiate", {"file_ids": [70000]}, traceparent=not_sampled)
    live.wait_for(job_id, "completed")
    sampled_id = post(live, "/v1/download/initiate", {"file_ids": [70001]})
    live.wait_for(sampled_id, "completed")
    whole_trace(live, collector, UUID(sampled_id).hex)

    assert not collector.of_trace(client)
    assert not collector.of_trace(UUID(job_id).hex)
