"""Without configuration, or without the packages, tracing costs nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from jobs.engine.doorbell_message import Doorbell, messages
from jobs.engine.submission import new_job_id
from jobs.kinds.registry import kind_doorbell
from jobs.lib.environment import Environment
from jobs.lib.tracing import configuration
from jobs.lib.tracing.configuration import is_tracing_configured
from jobs.models import DownloadJob
from jobs.operations.checks.tracing import (
    check_trace_url,
    check_tracing_packages,
    check_tracing_protocol,
)
from jobs.storage.bucket import object_requests_class
from jobs.storage.object_requests import ObjectRequests
from jobs.web.asgi.application import starts_class
from jobs.web.asgi.starts import Starts
from tests.live import ROOT

LOADED = """
import json, sys
import downloads_project.asgi, downloads_project.celery, jobs.engine.tasks, jobs.engine.dispatcher
from django.conf import settings
lists = settings.MIDDLEWARE, settings.CORS_ALLOW_HEADERS, sorted(sys.modules)
print(json.dumps([settings.TRACING, *lists]))
"""


def loaded(**env: str) -> tuple[bool, list[str], list[str], set[str]]:
    """Return what a process that has all of the service loaded knows of tracing."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-c", LOADED]
    output = subprocess.run(
        command, cwd=ROOT, env=clean | env, capture_output=True, text=True, check=True
    ).stdout
    is_on, middleware, headers, modules = json.loads(output.splitlines()[-1])
    return is_on, middleware, headers, set(modules)


def test_no_process_imports_opentelemetry_or_has_the_middleware() -> None:
    is_on, middleware, headers, modules = loaded()

    assert not is_on
    assert "traceparent" not in headers
    assert "jobs.web.tracing.TracingMiddleware" not in middleware
    own = {name for name in modules if name.startswith("jobs.lib.tracing.")}
    assert own == {"jobs.lib.tracing.configuration", "jobs.lib.tracing.trace_ids"}
    assert not modules & {
        "jobs.web.tracing",
        "jobs.web.asgi.traced_starts",
        "jobs.storage.traced_requests",
        "opentelemetry.exporter.otlp.proto.http",  # redis-py imports the SDK where there is one
    }


def test_an_endpoint_turns_it_on() -> None:
    pytest.importorskip("opentelemetry.sdk")

    is_on, middleware, headers, _ = loaded(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")

    assert is_on
    assert middleware[0] == "jobs.web.tracing.TracingMiddleware"
    assert {"traceparent", "tracestate"} <= set(headers)


def test_polls_starts_files_and_statements_have_no_wrapper(queued_job: DownloadJob) -> None:
    assert starts_class() is Starts
    assert object_requests_class() is ObjectRequests
    assert kind_doorbell(queued_job).span is None
    assert connection.execute_wrappers == []
    assert new_job_id() != new_job_id()


def test_messages_have_no_header() -> None:
    bell = Doorbell(uuid4(), "download-jobs", 330)

    ((text,),) = messages.by_list([bell]).values()

    assert "traceparent" not in text


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "files"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
    ids=str,
)
def test_standard_variables_turn_it_on(variables: dict[str, str], expected: bool) -> None:
    assert is_tracing_configured(environment(variables)) is expected


def environment(variables: dict[str, str]) -> Environment:
    env = Environment()
    env.ENVIRON = variables
    return env


def test_missing_packages_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    env = environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
    monkeypatch.setattr("jobs.operations.checks.tracing.env", env)
    monkeypatch.setattr(configuration, "find_spec", lambda name: None)
    assert [found.id for found in check_tracing_packages()] == ["jobs.W044"]
    assert not configuration.is_tracing_on(env)


def test_another_protocol_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    on = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}
    env = environment(on | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    monkeypatch.setattr("jobs.operations.checks.tracing.env", env)
    assert [found.id for found in check_tracing_protocol()] == ["jobs.W045"]


@pytest.mark.parametrize("url", ["http://jaeger/trace/", "javascript:{trace_id}"])
def test_trace_url_without_the_id_is_an_error(url: str, settings: Any) -> None:
    settings.TRACE_URL = url
    assert [found.id for found in check_trace_url()] == ["jobs.E044"]


def test_trace_url_is_optional(settings: Any) -> None:
    settings.TRACE_URL = ""
    assert check_trace_url() == []
