"""The Celery app. Delivers each message at most once; it may get lost.

A message is a doorbell. Workers do not acknowledge it, and Celery never delivers it again: after a
crash, the row's lease and the dispatcher restart the job. Redelivery by Celery would run a job that
kills its process again and again, and a long job twice at once. `celery -A downloads_project` finds
this app.
"""

from __future__ import annotations

import os
from typing import Any, Self

import structlog
from billiard.common import REMAP_SIGTERM
from celery import Celery, bootsteps, signals
from celery.app.amqp import AMQP
from django.conf import settings
from kombu import Connection, Consumer, Queue

from downloads_project import logs
from downloads_project.preflight import log_preflight_layers, preflight_contradictions
from downloads_project.processes import die_with_parent, hide_process_memory, hide_process_secrets

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "downloads_project.settings")
POOL_CHECK_SECONDS = 1.0
IS_WORKER = settings.ROLE == "worker"


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


app = Celery("downloads", amqp=EagerAMQP)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_queues=[
        Queue(name)
        for name in dict.fromkeys([settings.QUEUE, settings.REMOTE_QUEUE, settings.UPLOAD_QUEUE])
    ],
    task_default_queue=settings.QUEUE,
    task_create_missing_queues=False,  # a typo must not create a queue that nobody reads
    accept_content=["json"],
    task_acks_late=False,
    task_reject_on_worker_lost=False,
    task_time_limit=settings.JOB_TIME_LIMIT_SECONDS + settings.KILL_AFTER_SECONDS,
    task_track_started=False,
    # Nothing waits behind a running job: a message stays in Redis until a slot is free.
    worker_disable_prefetch=True,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=settings.WORKER_STOPS_SECONDS,
    worker_max_tasks_per_child=1_000,
    worker_max_memory_per_child=400_000,  # KiB; a leak ends with its process
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_timeout=2,
    broker_connection_max_retries=None,
    broker_connection_retry_on_startup=True,
    # A Redis that is full or has lost its replica refuses writes: connect again till it takes them.
    broker_channel_error_retry=True,
    broker_transport_options={
        # A frozen Redis must not hold a publisher. A worker's blocking read lasts 1 s at most.
        "socket_timeout": 3 if IS_WORKER else 1,
        "socket_connect_timeout": 3 if IS_WORKER else 1,
        "socket_keepalive": True,
        # A dead connection is dropped after 1 s plus twice this.
        "health_check_interval": 3,
        "queue_order_strategy": "priority",
        "priority_steps": list(range(10)),
        "sep": ":",
    },
    task_publish_retry_policy={
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.2,
    },
)
app.autodiscover_tasks(["jobs.engine"])


class CheckPool(bootsteps.StartStopStep):
    """Check every second which pool processes have died.

    Celery notices a death when the kernel closes the process' files, which may be before it can be
    waited for. Celery then finds nothing, and checks again only after 5 s.
    """

    requires = ("celery.worker.components:Pool",)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        hub.call_repeatedly(POOL_CHECK_SECONDS, worker.pool.maintain_pool)


app.steps["worker"].add(CheckPool)


@signals.setup_logging.connect
def _use_our_logs(**kwargs: Any) -> None:
    logs.configure_logs(settings.LOGGING)


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


@signals.worker_process_init.connect
def _end_with_the_worker(**kwargs: Any) -> None:
    # Without its main process nothing enforces the time limit of a pool process.
    die_with_parent()
