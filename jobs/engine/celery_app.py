"""The project's Celery app: which it is, and what the service needs of it.

A message is a doorbell. Workers do not acknowledge it, and Celery never delivers it again: after a
crash, the row's lease and the dispatcher restart the job. Redelivery by Celery would run a job that
kills its process again and again, and a long job twice at once.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Self, cast

import structlog
from billiard.common import REMAP_SIGTERM
from celery import Celery, bootsteps, signals
from celery.app.amqp import AMQP
from django.conf import settings
from django.utils.module_loading import import_string
from kombu import Connection, Consumer

from jobs.lib.preflight import log_preflight_layers, preflight_contradictions
from jobs.lib.process_memory import die_with_parent, hide_process_memory, hide_process_secrets

POOL_CHECK_SECONDS = 1.0


@cache
def celery_app() -> Celery:
    """Return the app that the setting CELERY_APP names, as a dotted path."""
    return cast(Celery, import_string(settings.CELERY_APP))


def configure_celery(app: Celery) -> None:
    """Make the app run jobs. Call it where the app is made, before it is used.

    The app reads its configuration from Django's settings: `namespace="CELERY"`.
    """
    app.amqp_cls = EagerAMQP  # type: ignore[assignment] # a class or its path
    app.steps["worker"].add(CheckPool)
    app.autodiscover_tasks(["jobs.engine"])


def is_configured(app: Celery) -> bool:
    """Return whether `configure_celery` was called."""
    return app.amqp_cls is EagerAMQP  # type: ignore[comparison-overlap]


class EagerConnection(Connection):
    def ensure_connection(self, *args: Any, **options: Any) -> Self:
        # By default a worker waits up to 30 s between two tries, and so much longer than Redis.
        return super().ensure_connection(
            *args, **{"interval_start": 1, "interval_max": 3} | options
        )


class EagerAMQP(AMQP):
    Connection = EagerConnection

    def TaskConsumer(self, *args: Any, **options: Any) -> Consumer:  # noqa: N802
        """Return a consumer without acknowledgements: they cost two transactions a message.

        With `no_ack`, kombu does not store what is unacknowledged, but Celery still calls `ack`.
        """
        consumer = super().TaskConsumer(*args, no_ack=True, **options)
        channel: Any = consumer.channel
        channel.qos.ack = lambda _delivery_tag: None
        return consumer


class CheckPool(bootsteps.StartStopStep):
    """Check every second which pool processes have died.

    Celery notices a death when the kernel closes the process' files, which may be before it can be
    waited for. Celery then finds nothing, and checks again only after 5 s.
    """

    requires = ("celery.worker.components:Pool",)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        hub.call_repeatedly(POOL_CHECK_SECONDS, worker.pool.maintain_pool)


@signals.worker_init.connect
def _hide_secrets(**kwargs: Any) -> None:
    hide_process_secrets()


@signals.worker_init.connect
def _refuse_contradictions(**kwargs: Any) -> None:
    if found := preflight_contradictions():
        for sentence in found:
            structlog.get_logger(__name__).critical(sentence)
        raise SystemExit(1)
    log_preflight_layers()


@signals.worker_init.connect
def _warn_about_sigterm(**kwargs: Any) -> None:
    # Celery's command line reads the variable before it loads this module: too late to set it.
    if REMAP_SIGTERM != "SIGQUIT":
        structlog.get_logger(__name__).warning(
            "start workers with REMAP_SIGTERM=SIGQUIT in the environment, else one that is told"
            " to stop waits for its jobs to end instead of handing them back"
        )


@signals.worker_process_init.connect
def _hide_memory(**kwargs: Any) -> None:
    hide_process_memory()


@signals.worker_process_shutdown.connect
def _stop_tracing(**kwargs: Any) -> None:
    if settings.TRACING:  # a pool process runs no exit handlers
        from jobs.lib.tracing.tracer_provider import stop_tracing

        stop_tracing()


@signals.worker_process_init.connect
def _end_with_the_worker(**kwargs: Any) -> None:
    # Without its main process nothing enforces the time limit of a pool process.
    die_with_parent()
