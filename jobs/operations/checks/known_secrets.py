"""Check that production does not use a secret from our own examples. Connects to nothing."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

# What the settings, .env.example and docker-compose.yml show.
PUBLIC_SECRET_KEY = "only-for-development-"  # noqa: S105 # it begins so
PUBLIC_S3_KEY = "minioadmin"
PUBLIC_PASSWORDS = {"DATABASE_URL": "postgres", "REDIS_URL": "redis", "CACHE_URL": "redis"}


@register
def check_known_secrets(**kwargs: Any) -> list[CheckMessage]:
    if not settings.PRODUCTION:
        return []
    return [
        Error(
            f"PRODUCTION is true, and {name} is the one that the examples show: everybody knows"
            " it.",
            hint=f"Set {variable} to a secret of your own.",
            id="jobs.E030",
        )
        for name, variable in [*_public_keys(), *_public_passwords()]
    ]


def _public_keys() -> list[tuple[str, str]]:
    """Return the keys that are public, each with the variable that sets it."""
    found = []
    secret_key = settings.SECRET_KEY
    # The second is how Django marks the keys that `startproject` makes.
    if secret_key.startswith((PUBLIC_SECRET_KEY, "django-insecure-")):
        found.append(("SECRET_KEY", "SECRET_KEY"))
    options = settings.STORAGES["default"]["OPTIONS"]
    if options["secret_key"] == PUBLIC_S3_KEY:
        found.append(("S3_SECRET_ACCESS_KEY", "S3_SECRET_ACCESS_KEY"))
    if options["access_key"] == PUBLIC_S3_KEY:
        found.append(("S3_ACCESS_KEY_ID", "S3_ACCESS_KEY_ID"))
    return found


def _public_passwords() -> list[tuple[str, str]]:
    passwords = {
        "DATABASE_URL": settings.DATABASES["default"].get("PASSWORD"),
        "REDIS_URL": _password(settings.CELERY_BROKER_URL),
        "CACHE_URL": _password(settings.CACHE_URL),
    }
    variables = {"DATABASE_URL": "POSTGRES_PASSWORD or DATABASE_URL"}
    return [
        (f"the password in {name}", variables.get(name, f"REDIS_PASSWORD or {name}"))
        for name, public in PUBLIC_PASSWORDS.items()
        if passwords[name] == public
    ]


def _password(url: str) -> str:
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:  # an invalid URL: another check reports it
        return ""
