"""Every setting that is set: read once from the environment, its unit and default beside it.

How the frameworks are put together, which is the same everywhere, is in frameworks.py.

Development needs no variable: `make run` writes the addresses of its servers to `.stack/env`,
which is read here when it is there. `PRODUCTION=true` refuses to start on a default that is
only good for development. `.env.example` lists what an operator sets.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
from csp.constants import NONCE

from downloads_project.environment import Environment
from downloads_project.frameworks import *  # noqa: F403
from downloads_project.postgres.connection import ImpatientConnection

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent


class _Environment(Environment):
    ENVIRON = dict(os.environ)  # a copy: what the files say stays in here


env = _Environment()
# Where `make run` keeps what it starts.
STACK_FOLDER = Path(env.str("STACK_FOLDER", default=str(BASE_DIR / ".stack")))
PRODUCTION = env.flag("PRODUCTION")
for _name in (
    [] if PRODUCTION else env.list("ENV_FILES", default=[".env", str(STACK_FOLDER / "env")])
):
    env.read_env(BASE_DIR / _name)  # what is set already wins


def required(name: str, development: str) -> str:
    """The variable; in development a default will do."""
    return str(env.str(name) if PRODUCTION else env.str(name, default=development))


def next_database(redis_url: str) -> str:
    """Of the same server. The address as it is where it does not end with a number."""
    parts = urlsplit(redis_url)
    number = parts.path.strip("/") or "0"
    return parts._replace(path=f"/{int(number) + 1}").geturl() if number.isdigit() else redis_url


# Who we are

# web, worker, dispatcher or command: what the process is for decides pools and timeouts.
ROLE = env.choice("ROLE", ["web", "worker", "dispatcher", "command"], "command")
DEBUG = env.flag("DEBUG")
SECRET_KEY = required("SECRET_KEY", "only-for-development-" + "x" * 32)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
ROOT_URLCONF = "downloads_project.urls"
WSGI_APPLICATION = "downloads_project.wsgi.application"
SILENCED_SYSTEM_CHECKS = env.list("SILENCED_SYSTEM_CHECKS", default=[])

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["jobs.web.templatetags"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# Jobs (seconds unless said otherwise)

LEASE_SECONDS = env.number("LEASE_SECONDS", 60, minimum=4)
# Without a confirmed heartbeat for this long an attempt gives up its job.
FENCE_SECONDS = LEASE_SECONDS * 3 // 4
# How long a lease may go unrenewed while nothing visible changes.
RENEW_SECONDS = LEASE_SECONDS // 4
BEAT_SECONDS = 1.0  # between two looks of an attempt at its row: a cancellation takes 2 at most
# An attempt may take this long, and a second more for each JOB_MIN_SPEED bytes that it reads.
JOB_TIME_LIMIT_SECONDS = env.number("JOB_TIME_LIMIT_SECONDS", 300, minimum=1)
JOB_MIN_SPEED = 1_000_000  # a tenth of what one slow disk gives
# An attempt that makes no progress for so long is stopped, and tried again. Longer than a helper,
# the scanner, the store or a link may be silent.
STALLED_SECONDS = 300
# Celery kills the process this long after the limit, should the builder not have stopped.
KILL_AFTER_SECONDS = 30
RESULT_KEPT_SECONDS = env.number("RESULT_KEPT_SECONDS", 30 * 24 * 3600, minimum=1)
SOURCE_KEPT_SECONDS = 24 * 3600  # that a job's sources are kept for it, as its queue may be long
MAX_FILES_PER_BUNDLE = 100_000  # whose ids a request's body has room for
# A range such as "10,120" makes every job wait that long first, to try things out.
SIMULATED_DELAY_SECONDS = env.numbers("SIMULATED_DELAY_SECONDS", [0.0, 0.0])
# At most what a client may wait until it follows a link.
DOWNLOAD_URL_SECONDS = env.number("DOWNLOAD_URL_SECONDS", 600, minimum=1, maximum=600)
# Answer 404 instead of 403 for somebody else's job, so that not even its existence is told.
HIDE_FOREIGN_JOBS = env.flag("HIDE_FOREIGN_JOBS")
START_WAITS_SECONDS = 20  # below the 30 s after which the first proxies give up

DISPATCH_EVERY_SECONDS = 1.0
COLLECT_EVERY_SECONDS = 300.0
RING_AGAIN_SECONDS = 5  # a message is in the broker within milliseconds

# Postgres

DATABASES: dict[str, Any] = {
    "default": env.db_url_config(
        required("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/downloads")
    )
}
WEB_POOL_CONNECTIONS = 16  # of one web process, at most
_STATEMENT_SECONDS = {"web": 5, "worker": 30, "dispatcher": 10}.get(ROLE, 0)  # 0: no limit
# A server that is frozen does not keep to its own limit: then the asking side gives up.
DATABASE_WAIT_SECONDS = _STATEMENT_SECONDS + 3 if _STATEMENT_SECONDS else 0
DATABASES["default"]["ENGINE"] = "downloads_project.postgres"
# A worker keeps its connection from job to job, and looks whether it is alive before each.
DATABASES["default"]["CONN_MAX_AGE"] = 600 if ROLE == "worker" else 0
DATABASES["default"]["CONN_HEALTH_CHECKS"] = ROLE == "worker"
DATABASES["default"]["OPTIONS"] = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "prepare_threshold": 5,  # of statements that ask for it: see postgres/pipeline.py
    "tcp_user_timeout": 20_000,  # ms until a line that acknowledges nothing is given up
    "options": f"-c statement_timeout={_STATEMENT_SECONDS * 1000} -c lock_timeout=2000"
    " -c idle_in_transaction_session_timeout=15000"
    # Of statements that are prepared: or Postgres plans them anew each time, once tables are large.
    " -c plan_cache_mode=force_generic_plan",
}
if ROLE in ("worker", "dispatcher"):  # whose connections last, and ask the same again and again
    DATABASES["default"]["OPTIONS"]["prepare_threshold"] = 5
if ROLE == "web":
    DATABASES["default"]["OPTIONS"]["pool"] = {
        "connection_class": ImpatientConnection,
        "min_size": 1,
        "max_size": WEB_POOL_CONNECTIONS,
        "timeout": 5,
        # A pool doubles its pause between two tries to connect, for this long. Then it waits for
        # somebody to ask: after an hour's outage, too, it connects within seconds of its end.
        "reconnect_timeout": 4,
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Celery on Redis: a message is a doorbell, the row is the truth

CELERY_BROKER_URL = required("REDIS_URL", "redis://127.0.0.1:6379/0")
QUEUE = env.str("QUEUE", default="download-jobs")
# Of another name, links can have workers of their own: one may take as long as a thousand zips.
REMOTE_QUEUE = env.str("REMOTE_QUEUE", default=QUEUE)
QUEUE_SHORT = 100  # the dispatcher keeps the queue in the broker about this long
WORKER_STOPS_SECONDS = env.number("WORKER_STOPS_SECONDS", 20)
CELERY_RESULT_BACKEND = "django-db"  # what an attempt returned that did not complete its job
CELERY_RESULT_EXTENDED = True
# Celery would close the connection around each task: jobs/engine/tasks.py decides when.
CELERY_DB_REUSE_MAX = sys.maxsize
CELERY_RESULT_EXPIRES = timedelta(days=3)

# Limits: of requests, as who:most/seconds, counted in another database of Redis; of rows

CACHE_URL = env.str("CACHE_URL", default=next_database(CELERY_BROKER_URL))
_STRICT = {
    "initiate": ["owner:100/60", "address:1000/60"],
    "poll": ["owner:600/60", "address:6000/60"],
    "page": ["owner:3000/60", "address:30000/60"],  # each of its live rows polls for itself
    "search": ["owner:120/60", "address:1200/60"],  # as somebody types
    "upload": ["owner:100/900", "address:10/60"],
    "chunk": ["owner:1200/60", "address:2400/60"],  # of 8 MiB: 160 MB/s
    # Guesses a day for one account: 1,440 of an address, 14,400 of any number of addresses.
    "sign-in": ["account-address:10/600", "address:10/60", "account:100/600", "device:10/60"],
}
_LOOSE = {
    "initiate": ["owner:1000/60"], "poll": ["owner:10000/60"], "page": ["owner:30000/60"],
    "upload": ["owner:10000/900"], "chunk": ["owner:60000/60"],
    "sign-in": ["account:1000/60", "device:1000/60"], "search": ["owner:1200/60"],
}  # fmt: skip
_RATES = _STRICT if PRODUCTION else _LOOSE
RATES: dict[str, list[str]] = {
    "initiate": env.list("RATE_INITIATE", default=_RATES["initiate"]),
    "poll": env.list("RATE_POLL", default=_RATES["poll"]),
    "page": _RATES["page"],
    "search": _RATES["search"],
    "upload": env.list("RATE_UPLOAD", default=_RATES["upload"]),
    "chunk": _RATES["chunk"],
    "sign-in": env.list("RATE_SIGN_IN", default=_RATES["sign-in"]),
}
# Of an owner.
MAX_ACTIVE_JOBS = env.number("MAX_ACTIVE_JOBS", 100 if PRODUCTION else 10_000, minimum=1)
# That anybody may ask for.
MAX_PRIORITY = env.number("MAX_PRIORITY", 6 if PRODUCTION else 9, maximum=9)
MAX_QUEUED_JOBS = env.number("MAX_QUEUED_JOBS", 10_000, minimum=1)  # of all, and due
# Bytes of results that an owner may have, those of active jobs included; 0: no limit.
OWNER_STORAGE_BYTES = env.number("OWNER_STORAGE_BYTES", 100 * 2**30 if PRODUCTION else 0)
# Whose X-Forwarded-For is believed: of these networks, or else of that many proxies before us.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
TRUSTED_PROXY_HOPS = env.number("TRUSTED_PROXY_HOPS", 0)

# Links: fetching a URL

REMOTE_PORTS = env.numbers("REMOTE_PORTS", [80, 443, 8080, 8443])
# Names, addresses and networks that are fetched from though they are private; a name at any port.
REMOTE_ALLOWED_PRIVATE_HOSTS = env.list("REMOTE_ALLOWED_PRIVATE_HOSTS", default=[])
# A fetch may take this long, and a second more for each REMOTE_AVERAGE_SPEED bytes that came.
REMOTE_TIME_LIMIT_SECONDS = env.number("REMOTE_TIME_LIMIT_SECONDS", 3600, minimum=1)
REMOTE_AVERAGE_SPEED = 100_000
REMOTE_MAX_BYTES = env.number("REMOTE_MAX_BYTES", 5 * 10**9)
# A connection that is silent for so long is given up.
REMOTE_SILENT_SECONDS = 20.0
# A fetch that gets fewer bytes a second than this, for so long, is given up.
REMOTE_MIN_SPEED = 1000
REMOTE_SLOW_SECONDS = 30.0

# Mails and webhooks

# The service's own address, as people and programs reach it: what they are sent leads there.
BASE_URL = required("BASE_URL", "http://127.0.0.1:8000").rstrip("/")
EMAIL_URL = env.str("EMAIL_URL", default="")
MAIL_IS_ON = bool(EMAIL_URL)
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
if MAIL_IS_ON:
    _mail = env.email_url_config(EMAIL_URL)
    globals().update({name: _mail[name] for name in _mail if name.startswith("EMAIL_")})
EMAIL_TIMEOUT = 10.0  # of each answer of the mail server
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="Downloads <downloads@localhost>")
# Between two tries of one mail or webhook: five tries in all.
NOTIFY_DELAYS_SECONDS = [60, 300, 1800, 7200]
# Who is mailed about downloads that failed, and how often at most.
OPERATOR_EMAILS = [each.strip() for each in env.list("OPERATOR_EMAILS", default=[])]
OPERATOR_MAIL_EVERY_SECONDS = 3600

# The virus scanner: tcp://host:port or unix:///path of a clamd; off: files are not scanned

CLAMD = env.str("CLAMD", default="tcp://127.0.0.1:3310")
# A clamd that is silent for so long is given up. It scans for 120 s at most (its MaxScanTime).
CLAMD_SILENT_SECONDS = 130.0

# Uploads: files that people send us

MAX_UPLOAD_BYTES = env.number("MAX_UPLOAD_BYTES", 100 * 2**20)  # of one that comes in a form
MAX_CHUNKED_UPLOAD_BYTES = env.number("MAX_CHUNKED_UPLOAD_BYTES", 50 * 10**9)
MAX_OPEN_UPLOADS = 100  # of an owner, in chunks
UPLOAD_TYPES = env.list("UPLOAD_TYPES", default=["*/*"])  # that are taken, by what is in a file
UPLOAD_IDLE_SECONDS = 24 * 3600  # then it is given up
UPLOAD_QUEUE = env.str("UPLOAD_QUEUE", default=QUEUE)  # of another name: workers of their own
# And a second more for each JOB_MIN_SPEED bytes of the file.
UPLOAD_TIME_LIMIT_SECONDS = 1800
# Objects of a finished job are looked for at once and again this much later, when the last worker
# that may still have written some is killed.
COLLECT_AGAIN_SECONDS = 2 * max(
    JOB_TIME_LIMIT_SECONDS, REMOTE_TIME_LIMIT_SECONDS, UPLOAD_TIME_LIMIT_SECONDS
)
PREVIEW_MAX_BYTES = 2 * 2**30  # that have previews
# Layers of the sandbox that a worker may start without: seccomp, landlock. See docs/sandbox.md.
SANDBOX_OPTIONAL_LAYERS = env.list("SANDBOX_OPTIONAL_LAYERS", default=[])
STORE_BYTES = env.number("STORE_BYTES", 0)  # beyond 90 % no upload is taken; 0: unknown

# S3: one bucket, told to us by an internal and to clients by a public address

S3_ENDPOINT_URL = required("S3_ENDPOINT_URL", "http://127.0.0.1:9000")
S3_PUBLIC_ENDPOINT_URL = env.str("S3_PUBLIC_ENDPOINT_URL", default=S3_ENDPOINT_URL)
_S3: dict[str, Any] = {
    "BACKEND": "jobs.storage.JobStorage",
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
# Attempts of one call, the first included, and how long each waits: a page has less patience.
S3_ATTEMPTS, S3_READ_SECONDS = (1, 3) if ROLE == "web" else (4, 20)
STORAGES["retrying"] = STORAGES["default"] | {"BACKEND": "jobs.storage.RetryingStorage"}  # uploads
STORAGES["slow"] = STORAGES["default"] | {"BACKEND": "jobs.storage.SlowStorage"}

# The users that `seed_demo` makes; empty: it thinks of passwords and prints them

_IS_COMMAND = ROLE == "command"  # no service ever needs these
DEMO_PASSWORD = env.str("DEMO_PASSWORD", default="") if _IS_COMMAND else ""
OPERATOR_PASSWORD = env.str("OPERATOR_PASSWORD", default="") if _IS_COMMAND else ""

# Pages, static files, signing in

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None  # else served from the sources
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_ALLOW_ALL_ORIGINS = False  # our pages alone use them
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "choose"
LOGOUT_REDIRECT_URL = "sign-in"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("MinimumLength", "CommonPassword")
]

# Behind a gateway that authenticates: the header in which it names the user, as in X-User-Id, and
# from where it connects. Nobody else may send that header. Empty: there is none.
GATEWAY_USER_HEADER = env.str("GATEWAY_USER_HEADER", default="")
GATEWAY_ADDRESSES = env.list("GATEWAY_ADDRESSES", default=[])

# Bodies of requests

DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000  # bytes of a JSON body; 100,000 file ids are 0.8 MB
FILE_UPLOAD_HANDLERS = ["jobs.web.multipart_form.NoFiles"]

# Security headers

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'", NONCE],  # where a page names one; no script stands in a page
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", S3_PUBLIC_ENDPOINT_URL],  # previews of what was uploaded
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        # Signing in may lead on to a file, and Chromium holds redirects against the form as well.
        "form-action": ["'self'", S3_PUBLIC_ENDPOINT_URL],
        "frame-ancestors": ["'none'"],
    }
}
# Pages of these origins may call the API, with a token; a session is this site's own affair.
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = "/(v1/|status/|openapi$|upload(/|$)|(downloads|reports)(/[^/]+(/status)?)?$)"
CORS_ALLOW_METHODS = ["GET", "POST", "DELETE"]
CORS_ALLOW_HEADERS = [
    "authorization", "content-type", "idempotency-key", "if-none-match", "x-request-id",
]  # fmt: skip
CORS_EXPOSE_HEADERS = [
    "ETag", "Idempotency-Replayed", "Location", "RateLimit", "RateLimit-Policy", "Retry-After",
    "X-Request-ID",
]  # fmt: skip
CORS_PREFLIGHT_MAX_AGE = 7200  # seconds; Chromium keeps to no more
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "jobs.web.pages.access.csrf_failure"
SECURE_REFERRER_POLICY = "same-origin"
# Behind a proxy that ends TLS and always sets this header itself, name it here.
if _proxy_header := env.str("TLS_PROXY_HEADER", default="X-Forwarded-Proto" * PRODUCTION):
    SECURE_PROXY_SSL_HEADER = ("HTTP_" + _proxy_header.upper().replace("-", "_"), "https")
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_SAMESITE = "Lax"

# Logs: lines for people in development, JSON in production

LOG_LEVEL = env.choice("LOG_LEVEL", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], "INFO")
LOGGING_CONFIG = "downloads_project.logs.configure"
LOGGING = {"json": PRODUCTION, "level": LOG_LEVEL}
