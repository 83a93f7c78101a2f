"""Settings of Django and its packages that are the same everywhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from jobs.default_settings.tracing import *  # noqa: F403
from jobs.default_settings.tracing import TRACING_HEADERS, TRACING_MIDDLEWARE

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_results",
    "django_htmx",
    "csp",
    "corsheaders",
    "jobs",
]
MIDDLEWARE = [
    *TRACING_MIDDLEWARE,
    # Middleware that only adds headers comes first, so that refusals of the others have them.
    "jobs.web.middleware.HeadersMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "jobs.web.wrong_method.WrongMethodMiddleware",
    "jobs.web.middleware.RequestIdMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    # Probes use any host name, without HTTPS.
    "jobs.web.middleware.ProbeMiddleware",
    "jobs.web.middleware.LimitsMiddleware",
    "jobs.web.middleware.NoNulMiddleware",
    "jobs.web.compression.CompressionMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "jobs.web.middleware.GatewayMiddleware",  # replaces the user of the session
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "jobs.web.middleware.ResponseMiddleware",  # last, so it sees exceptions of views first
]

REST_FRAMEWORK = {
    # The first has a WWW-Authenticate header, so that no credentials is 401, not 403.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "jobs.web.authentication.GatewayAuthentication",
        "jobs.web.key_authentication.KeyAuthentication",
        "jobs.web.authentication.TokenAuthentication",
        "jobs.web.authentication.CookieAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["jobs.web.throttle.Throttle"],
    "DEFAULT_PARSER_CLASSES": ["jobs.web.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "jobs.web.browsable.PageRenderer",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "jobs.web.content_negotiation.ContentNegotiation",
    "DEFAULT_SCHEMA_CLASS": "jobs.web.openapi.schema.Schema",
    "EXCEPTION_HANDLER": "jobs.web.error_responses.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "CHECK_REVOKE_TOKEN": True,  # a new password ends all tokens
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Downloads",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    # Clients cannot use the gateway's.
    "AUTHENTICATION_WHITELIST": [
        "jobs.web.key_authentication.KeyAuthentication",
        "jobs.web.authentication.TokenAuthentication",
        "jobs.web.authentication.CookieAuthentication",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    # No external validator.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "SCHEMA_PATH_PREFIX": "/v1",
    "PATH_CONVERTER_OVERRIDES": {"job": {"type": "string", "format": "uuid"}},
    "ENUM_NAME_OVERRIDES": {"StatusEnum": "jobs.states.Status"},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "jobs.web.openapi.document.complete_document",
    ],
}

_JOBS = Path(__file__).parent.parent
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_JOBS / "templates", *sorted(_JOBS.glob("kinds/*/templates"))],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["jobs.web.templatetags"],
            "libraries": {"operators": "jobs.operations.admin.tags"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

STATIC_URL = "/static/"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "choose"
LOGOUT_REDIRECT_URL = "sign-in"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
PASSWORD_RESET_TIMEOUT = 3600  # seconds that a link works, from when its mail is sent
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("MinimumLength", "CommonPassword")
]

CORS_URLS_REGEX = (
    "/(v1/|status/|openapi$|upload(/|$)|(downloads|reports)(/[^/]+(/status)?)?$"
    "|reports/[^/]+/download$|(queue|workers)/stats$|health(/(live|ready))?$)"
)
CORS_ALLOW_METHODS = ["GET", "POST", "PATCH", "DELETE"]
CORS_ALLOW_HEADERS = [
    "authorization", "content-range", "content-type", "idempotency-key", "if-none-match",
    "last-event-id", "prefer", "x-request-id",
    *TRACING_HEADERS,
]  # fmt: skip
CORS_EXPOSE_HEADERS = [
    "ETag", "Idempotency-Replayed", "Location", "RateLimit", "RateLimit-Policy", "Retry-After",
    "X-Request-ID",
]  # fmt: skip
CORS_PREFLIGHT_MAX_AGE = 7200  # seconds; Chromium keeps to no more

X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "jobs.web.pages.access.csrf_failure_page"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SAMESITE = "Lax"
