"""The settings of the service, read once from the environment. A project imports all of them.

`from jobs.default_settings import *` at the top of a project's settings; what comes below it has
precedence. docs/own-project.md says what a project adds. Development needs no variable, and
`PRODUCTION=true` refuses to start with a default for development. `.env.example` lists the
variables for operators. Settings of Django and its packages that never differ: frameworks.py.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
from csp.constants import NONCE
from kombu import Queue

from jobs.default_settings.frameworks import *  # noqa: F403
from jobs.default_settings.frameworks import INSTALLED_APPS
from jobs.default_settings.postgres import *  # noqa: F403
from jobs.default_settings.postgres import ROLE
from jobs.default_settings.sign_in import *  # noqa: F403
from jobs.default_settings.sign_in import oidc_origins
from jobs.lib.settings_environment import env

django_stubs_ext.monkeypatch()

PRODUCTION = env.flag("PRODUCTION")


def required(name: str, development: str) -> str:
    """Return the variable; in development it has a default."""
    return str(env.str(name) if PRODUCTION else env.str(name, default=development))


def next_database(redis_url: str) -> str:
    """Return the URL of the next database of this server, or the same URL if it has no number."""
    parts = urlsplit(redis_url)
    number = parts.path.strip("/") or "0"
    return parts._replace(path=f"/{int(number) + 1}").geturl() if number.isdigit() else redis_url


# Jobs (seconds unless said otherwise)

LEASE_SECONDS = env.number("LEASE_SECONDS", 60, minimum=4)
# Without a confirmed heartbeat for this long, an attempt abandons its job.
FENCE_SECONDS = LEASE_SECONDS * 3 // 4
# A lease is renewed this often even if nothing else changes.
RENEW_SECONDS = LEASE_SECONDS // 4
BEAT_SECONDS = 1.0  # between two heartbeats of an attempt, which also detect a cancellation
# Time limit of an attempt; one second more for each JOB_MIN_SPEED bytes that it reads.
JOB_TIME_LIMIT_SECONDS = env.number("JOB_TIME_LIMIT_SECONDS", 300, minimum=1)
JOB_MIN_SPEED = 1_000_000  # a tenth of what one slow disk gives
# An attempt without progress for this long is stopped and retried. Longer than the timeouts of the
# helper, the scanner, the file store and links.
STALLED_SECONDS = 300
# Celery kills the process this long after the time limit if the builder has not stopped.
KILL_AFTER_SECONDS = 30
RESULT_KEPT_SECONDS = env.number("RESULT_KEPT_SECONDS", 30 * 24 * 3600, minimum=1)
# How long the row of a finished job is kept after its file expired or it ended, and a traceback.
# A day at least: idempotency keys are kept that long.
JOB_KEPT_SECONDS = env.number("JOB_KEPT_SECONDS", 90 * 24 * 3600, minimum=24 * 3600)
TRACEBACK_KEPT_SECONDS = env.number("TRACEBACK_KEPT_SECONDS", 30 * 24 * 3600)
SOURCE_KEPT_SECONDS = 24 * 3600  # sources are kept for a queued job at least
MAX_FILES_PER_BUNDLE = 100_000  # their ids fit into a request body
# A range such as "10,120": every job waits so long first, for experiments.
SIMULATED_DELAY_SECONDS = env.numbers("SIMULATED_DELAY_SECONDS", [0.0, 0.0])
# How long a presigned link works.
DOWNLOAD_URL_SECONDS = env.number("DOWNLOAD_URL_SECONDS", 600, minimum=1, maximum=600)
# Return 404 instead of 403 for another owner's job, to hide its existence.
HIDE_FOREIGN_JOBS = env.flag("HIDE_FOREIGN_JOBS")
START_WAITS_SECONDS = 20  # below the usual 30 s timeout of proxies

DISPATCH_EVERY_SECONDS = 1.0
COLLECT_EVERY_SECONDS = 300.0
RING_AGAIN_SECONDS = 5  # a message is in the broker within milliseconds

# Celery on Redis: a message is a doorbell, the row is the truth

CELERY_BROKER_URL = required("REDIS_URL", "redis://127.0.0.1:6379/0")
QUEUE = env.str("QUEUE", default="download-jobs")
# With another name links, or uploads, get workers of their own: a link may take as long as a
# thousand zips.
REMOTE_QUEUE = env.str("REMOTE_QUEUE", default=QUEUE)
UPLOAD_QUEUE = env.str("UPLOAD_QUEUE", default=QUEUE)
# Dotted paths of Django apps, and of kinds of jobs that they define.
INSTALLED_APPS = [*INSTALLED_APPS, *env.modules("APPS")]
KINDS = [
    "jobs.kinds.bundle.kind.FilesBundle",
    "jobs.kinds.remote.kind.Remote",
    "jobs.kinds.upload.kind.Upload",
    "jobs.kinds.register.kind.Register",
    "jobs.kinds.report.kind.Report",
    *env.list("KINDS", default=[]),
]
QUEUE_SHORT = 100  # the dispatcher keeps the queue in the broker about this long
WORKER_STOPS_SECONDS = env.number("WORKER_STOPS_SECONDS", 20)
CELERY_RESULT_BACKEND = "django-db"  # results of attempts that did not complete their job
CELERY_RESULT_EXTENDED = True
# jobs/engine/tasks.py closes connections, not Celery after each task.
CELERY_DB_REUSE_MAX = sys.maxsize
CELERY_RESULT_EXPIRES = timedelta(days=3)
CELERY_TASK_QUEUES = [Queue(name) for name in dict.fromkeys([QUEUE, REMOTE_QUEUE, UPLOAD_QUEUE])]
CELERY_TASK_DEFAULT_QUEUE = QUEUE
CELERY_TASK_CREATE_MISSING_QUEUES = False  # a typo must not create a queue that nobody reads
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_TIME_LIMIT = JOB_TIME_LIMIT_SECONDS + KILL_AFTER_SECONDS
CELERY_TASK_TRACK_STARTED = False
# Nothing waits behind a running job: a message stays in Redis until a slot is free.
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = WORKER_STOPS_SECONDS
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1_000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # KiB; a leak ends with its process
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A Redis that is full or has lost its replica refuses writes: connect again till it takes them.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
# A frozen Redis must not hold a publisher. A worker's blocking read lasts 1 s at most.
_REDIS_SECONDS = 3 if ROLE == "worker" else 1
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": _REDIS_SECONDS,
    "socket_connect_timeout": _REDIS_SECONDS,
    "socket_keepalive": True,
    # A dead connection is dropped after 1 s plus twice this.
    "health_check_interval": 3,
    "queue_order_strategy": "priority",
    "priority_steps": list(range(10)),
    "sep": ":",
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}

# Limits: of requests, as who:most/seconds, counted in another Redis database; of rows

CACHE_URL = env.str("CACHE_URL", default=next_database(CELERY_BROKER_URL))


def _rates(production: str, development: str) -> list[str]:
    return (production if PRODUCTION else development).split(",")


RATES: dict[str, list[str]] = dict(  # keywords: only a kind itself has its name as a string
    initiate=env.list(
        "RATE_INITIATE", default=_rates("owner:100/60,address:1000/60", "owner:1000/60")
    ),
    poll=env.list("RATE_POLL", default=_rates("owner:600/60,address:6000/60", "owner:10000/60")),
    # Each active row on a page polls.
    page=_rates("owner:3000/60,address:30000/60", "owner:30000/60"),
    webhook=_rates("owner:10/60", "owner:100/60"),  # tests, and deliveries that are sent again
    search=_rates("owner:120/60,address:1200/60", "owner:1200/60"),  # while typing
    upload=env.list(
        "RATE_UPLOAD", default=_rates("owner:100/900,address:10/60", "owner:10000/900")
    ),
    chunk=_rates("owner:1200/60,address:2400/60", "owner:60000/60"),  # of 8 MiB: 160 MB/s
)
# Guesses a day for one account: 1,440 from one address, 14,400 from all addresses.
_SIGN_IN = "account-address:10/600,address:10/60,account:100/600,device:10/60"
RATES["sign-in"] = env.list(
    "RATE_SIGN_IN", default=_rates(_SIGN_IN, "account:1000/60,device:1000/60")
)
# Mails that somebody asks for without being the one who gets them.
RATES["account-mail"] = _rates("account:5/3600,owner:10/3600,address:30/3600", "owner:1000/60")
# The passwords of share links, each of which counts as an account.
RATES["share-password"] = env.list(
    "RATE_SHARE_PASSWORD",
    default=_rates("account-address:10/600,address:30/600,account:200/600", "account:1000/60"),
)
# Per owner.
MAX_ACTIVE_JOBS = env.number("MAX_ACTIVE_JOBS", 100 if PRODUCTION else 10_000, minimum=1)
# The highest priority that owners may set.
MAX_PRIORITY = env.number("MAX_PRIORITY", 6 if PRODUCTION else 9, maximum=9)
MAX_QUEUED_JOBS = env.number("MAX_QUEUED_JOBS", 10_000, minimum=1)  # of all owners, due now
# Bytes of results per owner, including active jobs; 0: no limit.
OWNER_STORAGE_BYTES = env.number("OWNER_STORAGE_BYTES", 100 * 2**30 if PRODUCTION else 0)
# Trusted for X-Forwarded-For: these networks, or this many proxies in front of the service.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
TRUSTED_PROXY_HOPS = env.number("TRUSTED_PROXY_HOPS", 0)

# Links: fetching a URL

REMOTE_PORTS = env.numbers("REMOTE_PORTS", [80, 443, 8080, 8443])
# Private names, addresses and networks that are allowed; names at any port.
REMOTE_ALLOWED_PRIVATE_HOSTS = env.list("REMOTE_ALLOWED_PRIVATE_HOSTS", default=[])
# Time limit; one second more for each REMOTE_AVERAGE_SPEED bytes received.
REMOTE_TIME_LIMIT_SECONDS = env.number("REMOTE_TIME_LIMIT_SECONDS", 3600, minimum=1)
REMOTE_AVERAGE_SPEED = 100_000
REMOTE_MAX_BYTES = env.number("REMOTE_MAX_BYTES", 5 * 10**9)
# Timeout of a connection between two bytes.
REMOTE_SILENT_SECONDS = 20.0
# A fetch slower than this (bytes/s) for REMOTE_SLOW_SECONDS is aborted.
REMOTE_MIN_SPEED = 1000
REMOTE_SLOW_SECONDS = 30.0

# Mails and webhooks

# The public address of the service, used in mails and webhooks.
BASE_URL = required("BASE_URL", "http://127.0.0.1:8000").rstrip("/")
MAIL_IS_ON = bool(env.str("EMAIL_URL", default=""))
# Before each retry of a mail or webhook: five tries in all.
NOTIFY_DELAYS_SECONDS = [60, 300, 1800, 7200]
# Recipients of mails about failed downloads, and the shortest interval between two mails.
OPERATOR_EMAILS = [each.strip() for each in env.list("OPERATOR_EMAILS", default=[])]
OPERATOR_MAIL_EVERY_SECONDS = 3600
# They are also sent alerts, by mail and by this webhook.
OPERATOR_WEBHOOK = env.str("OPERATOR_WEBHOOK", default="")
OPERATOR_WEBHOOK_SECRET = env.str("OPERATOR_WEBHOOK_SECRET", default="")  # whsec_ and base64

# Prometheus

METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # of a scraper of GET /metrics of the web
METRICS_PORT = env.number("METRICS_PORT", 0, maximum=65535)  # of workers and dispatchers; 0: none
METRICS_HOST = env.str("METRICS_HOST", default="127.0.0.1")

# The virus scanner: tcp://host:port or unix:///path of a clamd; off: files are not scanned

CLAMD = env.str("CLAMD", default="tcp://127.0.0.1:3310")
# Timeout of clamd, which scans for 120 s at most (MaxScanTime).
CLAMD_SILENT_SECONDS = 130.0

# Uploads

MAX_UPLOAD_BYTES = env.number("MAX_UPLOAD_BYTES", 100 * 2**20)  # of an upload in a form
MAX_CHUNKED_UPLOAD_BYTES = env.number("MAX_CHUNKED_UPLOAD_BYTES", 50 * 10**9)
MAX_OPEN_UPLOADS = 100  # per owner, in chunks
UPLOAD_TYPES = env.list("UPLOAD_TYPES", default=["*/*"])  # allowed, by content
UPLOAD_IDLE_SECONDS = 24 * 3600  # without activity; then it is deleted
# One second more for each JOB_MIN_SPEED bytes of the file.
UPLOAD_TIME_LIMIT_SECONDS = 1800
# Objects of a finished job are collected at once, and again this much later, when every worker that
# may still have written some has been killed.
COLLECT_AGAIN_SECONDS = 2 * max(
    JOB_TIME_LIMIT_SECONDS, REMOTE_TIME_LIMIT_SECONDS, UPLOAD_TIME_LIMIT_SECONDS
)
PREVIEW_MAX_BYTES = 2 * 2**30  # larger files get no previews
# Layers of the sandbox that a worker may start without: seccomp, landlock. See docs/sandbox.md.
SANDBOX_OPTIONAL_LAYERS = env.list("SANDBOX_OPTIONAL_LAYERS", default=[])
STORE_BYTES = env.number("STORE_BYTES", 0)  # uploads are refused above 90 %; 0: unknown

# S3: one bucket, with an internal address and a public one for clients. Objects of further buckets
# of the same store can be registered as files; they are only read.

BUCKETS = env.list("BUCKETS", default=[])

S3_ENDPOINT_URL = required("S3_ENDPOINT_URL", "http://127.0.0.1:9000")
S3_PUBLIC_ENDPOINT_URL = env.str("S3_PUBLIC_ENDPOINT_URL", default=S3_ENDPOINT_URL)
_S3: dict[str, Any] = {
    "BACKEND": "jobs.storage.BucketStorage",
    "OPTIONS": {
        "bucket_name": env.str("S3_BUCKET", default="downloads"),
        "access_key": required("S3_ACCESS_KEY_ID", "minioadmin"),
        "secret_key": required("S3_SECRET_ACCESS_KEY", "minioadmin"),
        "region_name": env.str("S3_REGION", default="us-east-1"),
        "endpoint_url": S3_ENDPOINT_URL,
        "verify": env.str("AWS_CA_BUNDLE", default="") or None,
    },
}
STORAGES: dict[str, Any] = {
    "default": _S3,
    "public": _S3 | {"OPTIONS": _S3["OPTIONS"] | {"endpoint_url": S3_PUBLIC_ENDPOINT_URL}},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    if PRODUCTION
    else {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Tries of one call, and the timeout of each: shorter for web requests.
S3_ATTEMPTS, S3_READ_SECONDS = (1, 3) if ROLE == "web" else (4, 20)
STORAGES["retrying"] = STORAGES["default"] | {"BACKEND": "jobs.storage.RetryingStorage"}  # uploads
STORAGES["slow"] = STORAGES["default"] | {"BACKEND": "jobs.storage.SlowStorage"}

# The users that `seed_demo` creates; empty: it generates passwords and prints them

_IS_COMMAND = ROLE == "command"  # no service ever needs these
DEMO_PASSWORD = env.str("DEMO_PASSWORD", default="") if _IS_COMMAND else ""
OPERATOR_PASSWORD = env.str("OPERATOR_PASSWORD", default="") if _IS_COMMAND else ""

# Pages, static files, signing in

WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_ALLOW_ALL_ORIGINS = False  # only our pages use them

# Bodies of requests

DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000  # bytes of a JSON body; 100,000 file ids are 0.8 MB
# Of a form for a view that is not the service's, such as the admin's. None: Django's limits.
OTHER_FORMS_MAX_BYTES: int | None = None

# Security headers

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'", NONCE],  # no inline scripts
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", S3_PUBLIC_ENDPOINT_URL],  # previews
        "media-src": ["'self'", S3_PUBLIC_ENDPOINT_URL],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        # Signing in may redirect to a file, and Chromium checks redirects of forms, too.
        "form-action": ["'self'", S3_PUBLIC_ENDPOINT_URL, *oidc_origins()],
        "frame-ancestors": ["'none'"],
    }
}
# Pages of these origins may call the API, with a token, never with a session.
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
# The header of a proxy that terminates TLS and always sets it.
if _proxy_header := env.str("TLS_PROXY_HEADER", default="X-Forwarded-Proto" * PRODUCTION):
    SECURE_PROXY_SSL_HEADER = ("HTTP_" + _proxy_header.upper().replace("-", "_"), "https")
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
