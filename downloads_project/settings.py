"""The settings of this project: those of the service, and what each deployment has of its own.

Development needs no variable: `make run` writes the addresses of its servers to `.stack/env`, which
is read here if it exists.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.lib.logs import log_options
from jobs.lib.settings_environment import env

BASE_DIR = Path(__file__).resolve().parent.parent
# The data of `make run`.
STACK_FOLDER = Path(env.str("STACK_FOLDER", default=str(BASE_DIR / ".stack")))
env.ENVIRON.setdefault("PRODUCTION", "false")  # which the files below cannot change
for _name in (
    []
    if env.flag("PRODUCTION")
    else env.list("ENV_FILES", default=[".env", str(STACK_FOLDER / "env")])
):
    env.read_env(BASE_DIR / _name)  # variables that are set have precedence

from jobs.default_settings import *  # noqa: E402, F403
from jobs.default_settings import POSTGRES, PRODUCTION, REPLICA, TEMPLATES, required  # noqa: E402

ROOT_URLCONF = "downloads_project.urls"
WSGI_APPLICATION = "downloads_project.wsgi.application"
CELERY_APP = "downloads_project.celery.app"
TEMPLATES[0]["DIRS"].insert(0, BASE_DIR / "templates")

# No view but the service's reads files or long forms.
FILE_UPLOAD_HANDLERS = ["jobs.web.upload_handlers.NoFiles"]
OTHER_FORMS_MAX_BYTES = 32 * 1024

DEBUG = env.flag("DEBUG")
SECRET_KEY = required("SECRET_KEY", "only-for-development-" + "x" * 32)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SILENCED_SYSTEM_CHECKS = env.list("SILENCED_SYSTEM_CHECKS", default=[])

DATABASES: dict[str, Any] = {
    "default": env.db_url_config(
        required("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/downloads")
    )
    | POSTGRES
}
if _replica := env.str("DATABASE_REPLICA_URL", default=""):
    DATABASES["replica"] = env.db_url_config(_replica) | REPLICA

# Mails

EMAIL_URL = env.str("EMAIL_URL", default="")
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
if EMAIL_URL:
    _mail = env.email_url_config(EMAIL_URL)
    globals().update({name: _mail[name] for name in _mail if name.startswith("EMAIL_")})
EMAIL_TIMEOUT = 10.0  # for each response of the mail server
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="Downloads <downloads@localhost>")

STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None  # otherwise served from the sources

# Logs: lines for people in development, JSON in production

LOGGING_CONFIG = "jobs.lib.logs.configure_logs"
LOGGING = log_options(env, "downloads_project")
