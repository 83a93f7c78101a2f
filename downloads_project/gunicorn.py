"""Configuration of the web process: `ROLE=web gunicorn -c python:downloads_project.gunicorn`."""

import multiprocessing
import os
import shutil
import sys
import tempfile
from typing import Any

import structlog

from jobs.lib.environment import CANNOT_BOOT, MAX_PORT, Environment
from jobs.lib.process_memory import hide_process_secrets

wsgi_app = "downloads_project.asgi:application"
env = Environment()
bind = f"{env.str('HOST', default='127.0.0.1')}:{env.number('PORT', 8000, maximum=MAX_PORT)}"
worker_class = "downloads_project.web_server.worker.WebWorker"
workers = env.web_processes()
# Many threads, since a waiting `start` or a long body holds one without using the processor. Half
# of them may wait for files: fifty uploads at once, should they all meet the same process.
threads = env.number("WEB_THREADS", 128)
# At once, of a process, if it may open so many files. Ten thousand watch their downloads.
worker_connections = 12_000
timeout = 60
graceful_timeout = env.number("WEB_STOPS_SECONDS", 25)  # longer than `start` waits
# Longer than proxies keep idle connections (usually 60 s), so that they close them, not we.
keepalive = 75
forwarder_headers = ""  # a proxy on this machine passes on the SCRIPT_NAME that any client sends
limit_request_line = 8190  # bytes; ticked files travel in the address while one searches
logger_class = "downloads_project.web_server.gunicorn_log.GunicornLog"
accesslog = None  # web_server/access_log.py writes it
control_socket_disable = True
# The metrics of all processes, each in files of its own. Set before prometheus_client is imported.
_metrics = tempfile.mkdtemp(prefix="metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics


def on_starting(_server: Any) -> None:
    """Run in the master before it forks; the children inherit it."""
    hide_process_secrets()
    # In a child process, because the master's imports are never reloaded. Once, as gunicorn ends
    # with a traceback if two web processes fail to boot at the same time.
    check = multiprocessing.get_context("fork").Process(target=_check_settings)
    check.start()
    check.join()
    if check.exitcode:
        sys.exit(CANNOT_BOOT)


def child_exit(_server: Any, worker: Any) -> None:
    """Forget the gauges of a process that ended. Its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    shutil.rmtree(_metrics, ignore_errors=True)


def post_worker_init(_worker: Any) -> None:
    """Check the settings that a reload has read."""
    _check_settings()


def _check_settings() -> None:
    """Stop this process if the settings are invalid or contradict each other."""
    import downloads_project.wsgi  # noqa: F401 # reads the settings, and loads the apps
    from jobs.lib.preflight import preflight_contradictions

    if found := preflight_contradictions():
        for sentence in found:
            structlog.get_logger(__name__).critical(sentence)
        sys.exit(CANNOT_BOOT)
