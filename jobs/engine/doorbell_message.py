"""A doorbell, and the Celery message that carries it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID, uuid4

from jobs.engine.celery_app import celery_app

TASK = "jobs.run"
HEADERS = '"headers": {'  # of a message, in its JSON


class DoorbellSpan(Protocol):
    """The span of sending a doorbell: see jobs/lib/tracing/messages.py."""

    @property
    def traceparent(self) -> str:
        """The header of the message."""

    def end(self, error: BaseException | None = None) -> None: ...


@dataclass(frozen=True)
class Doorbell:
    """A message that a job of the queue is ready. It names one, and may be used for another."""

    job_id: UUID | str
    queue: str
    time_limit_seconds: int
    span: DoorbellSpan | None = None  # None unless settings.TRACING


def end_spans(bells: Iterable[Doorbell], error: BaseException | None = None) -> None:
    """End the spans of doorbells that were sent, or lost because of `error`."""
    for bell in bells:
        if bell.span:
            bell.span.end(error)


class _Messages:
    """Build the messages of Celery's `send_task`, at a tenth of its cost.

    Celery builds the first message for each queue. The others are copies with new ids and time
    limits.
    """

    def __init__(self) -> None:
        self._templates: dict[str, _Template] = {}
        self._lock = threading.Lock()

    def by_list(self, bells: Iterable[Doorbell]) -> dict[str, list[str]]:
        """Return the messages by the Redis list that each belongs to, in order.

        Raises QueueNotFound for a queue that is not configured.
        """
        found: dict[str, list[str]] = {}
        for bell in bells:
            template = self._template(bell.queue)
            text = template.message(str(bell.job_id), bell.time_limit_seconds)
            if bell.span:
                text = with_header(text, "traceparent", bell.span.traceparent)
            found.setdefault(template.list, []).append(text)
        return found

    def _template(self, queue: str) -> _Template:
        with self._lock:
            if (template := self._templates.get(queue)) is None:
                template = self._templates[queue] = _Template(queue)
            return template


messages = _Messages()


class _Template:
    """The text of a message, with placeholders for three ids, the time limit and the body."""

    def __init__(self, queue: str) -> None:
        self.list = queue  # the Redis list that kombu reads for messages without a priority
        mark: dict[str, Any] = {
            each: f"<{each}>" for each in ("job", "task", "delivery", "time limit")
        }
        with celery_app().connection_for_write("memory://") as memory:
            celery_app().send_task(
                TASK,
                args=[mark["job"]],
                task_id=mark["task"],
                queue=queue,
                time_limit=mark["time limit"],  # Celery passes it on as it is
                ignore_result=False,
                connection=memory,
            )
            channel: Any = memory.default_channel
            message = channel._get(queue)
        self._body = base64.b64decode(message["body"]).decode()
        message["body"] = "<body>"
        message["properties"]["delivery_tag"] = mark["delivery"]
        self._text = json.dumps(message)

    def message(self, job_id: str, time_limit_seconds: int) -> str:
        body = base64.b64encode(self._body.replace("<job>", job_id).encode()).decode()
        text = self._text.replace("<body>", body).replace("<job>", job_id)
        text = text.replace('"<time limit>"', str(time_limit_seconds))
        return text.replace("<task>", str(uuid4())).replace("<delivery>", str(uuid4()))


def with_header(text: str, name: str, value: str) -> str:
    """Return the message with one more header, which Celery passes on to the task."""
    begin, end = text.split(HEADERS, 1)
    return f"{begin}{HEADERS}{json.dumps(name)}: {json.dumps(value)}, {end}"
