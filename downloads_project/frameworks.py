"""How Django, REST framework and the makers of tokens and documents are put together.

The same wherever the service runs: settings.py takes it over, and has all that differs.
"""

from __future__ import annotations

from datetime import timedelta

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
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
    # What only adds headers comes first, so that it adds them to the refusals of the others.
    "jobs.web.middleware.HeadersMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "jobs.web.middleware.WrongMethodMiddleware",
    "jobs.web.middleware.RequestIdMiddleware",
    # Probes ask by any name, without https.
    "jobs.web.middleware.ProbeMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "jobs.web.middleware.LimitsMiddleware",
    "jobs.web.middleware.NoNulMiddleware",
    "jobs.web.middleware.CompressionMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "jobs.web.middleware.GatewayMiddleware",  # takes the place of the session's user
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "jobs.web.middleware.ResponseMiddleware",  # last: it is the first to hear of what a view raised
]

REST_FRAMEWORK = {
    # The first has a WWW-Authenticate header, so that no credentials is 401, not 403.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "jobs.web.authentication.GatewayAuthentication",
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
    "DEFAULT_SCHEMA_CLASS": "jobs.web.api.schema.Schema",
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
    "SWAGGER_UI_DIST": "SIDECAR",
    # Nobody else is asked to validate the document.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "SCHEMA_PATH_PREFIX": "/v1",
    "PATH_CONVERTER_OVERRIDES": {"job": {"type": "string", "format": "uuid"}},
    "ENUM_NAME_OVERRIDES": {"StatusEnum": "jobs.states.Status"},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "jobs.web.api.document.complete",
    ],
}
