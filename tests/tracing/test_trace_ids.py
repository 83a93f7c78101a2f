"""The ids of the traces of a job, which every process computes."""

from __future__ import annotations

from uuid import UUID, uuid4

from jobs.lib.tracing.trace_ids import AttemptIds, trace_id_text, trace_url

JOB = UUID("5f0e1c9a-3b1d-4f7e-9c55-8a2d1e6f7b01")


def test_trace_of_the_first_attempt_has_the_id_of_the_job() -> None:
    assert trace_id_text(JOB, 1) == JOB.hex
    assert trace_id_text(str(JOB), 1) == JOB.hex


def test_later_attempts_have_traces_of_their_own() -> None:
    ids = [AttemptIds.of(JOB, attempt) for attempt in range(1, 100)]

    assert len({each.trace_id for each in ids}) == len({each.span_id for each in ids}) == 99
    assert ids == [AttemptIds.of(JOB, attempt) for attempt in range(1, 100)]


def test_all_attempts_end_like_the_job_so_that_samplers_decide_alike() -> None:
    job = uuid4()

    ends = {trace_id_text(job, attempt)[16:] for attempt in range(1, 10)}

    assert ends == {job.hex[16:]}


def test_url_of_a_trace() -> None:
    assert trace_url("http://jaeger/trace/{trace_id}", JOB, 1) == f"http://jaeger/trace/{JOB.hex}"
    assert trace_url("", JOB, 1) == ""
