"""Check the settings of OpenID Connect and of groups. Connects to nothing."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register
def check_oidc_issuer(**kwargs: Any) -> list[CheckMessage]:
    issuer = settings.OIDC_ISSUER
    schemes = ("https",) if settings.PRODUCTION else ("https", "http")
    if not issuer or (_is_issuer(issuer) and urlsplit(issuer).scheme in schemes):
        return []
    return [
        Error(
            f"OIDC_ISSUER ({issuer!r}) is not the address of a provider.",
            hint="Set it to what the provider's discovery document has as `issuer`: https://, a"
            " host, maybe a path, and not /.well-known/openid-configuration.",
            id="jobs.E050",
        )
    ]


@register
def check_oidc_client(**kwargs: Any) -> list[CheckMessage]:
    named = {name: getattr(settings, name) for name in ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")}
    if settings.OIDC_ISSUER:
        return [
            Error(
                f"OIDC_ISSUER is set and {name} is not: nobody can sign in there.",
                hint=f"Register this service at the provider, and set {name} to what it shows.",
                id="jobs.E051",
            )
            for name, value in named.items()
            if not value
        ]
    return [
        Warning(
            f"{name} is set and OIDC_ISSUER is not: it is not used.",
            hint=f"Set OIDC_ISSUER, or remove {name}.",
            id="jobs.W050",
        )
        for name, value in named.items()
        if value
    ]


@register
def check_oidc_scopes(**kwargs: Any) -> list[CheckMessage]:
    if not settings.OIDC_ISSUER or "openid" in settings.OIDC_SCOPES:
        return []
    return [
        Error(
            "OIDC_SCOPES has no openid: the provider sends no ID token.",
            hint="Set it to openid,email,profile and what your provider needs for groups.",
            id="jobs.E052",
        )
    ]


@register
def check_staff_group(**kwargs: Any) -> list[CheckMessage]:
    of_provider = settings.OIDC_ISSUER and settings.OIDC_GROUPS_CLAIM
    of_gateway = settings.GATEWAY_USER_HEADER and settings.GATEWAY_GROUPS_HEADER
    if of_provider or of_gateway or not settings.STAFF_GROUP:
        return []
    return [
        Warning(
            "STAFF_GROUP is set, but nothing says who is in a group: it changes nobody.",
            hint="Set OIDC_GROUPS_CLAIM or GATEWAY_GROUPS_HEADER.",
            id="jobs.W051",
        )
    ]


@register
def check_gateway_headers(**kwargs: Any) -> list[CheckMessage]:
    if settings.GATEWAY_USER_HEADER:
        return []
    return [
        Warning(
            f"{name} is set and GATEWAY_USER_HEADER is not: it is not read.",
            hint=f"Set GATEWAY_USER_HEADER, or remove {name}.",
            id="jobs.W052",
        )
        for name in ("GATEWAY_EMAIL_HEADER", "GATEWAY_GROUPS_HEADER")
        if getattr(settings, name)
    ]


def _is_issuer(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port
        return False
    alone = not (parts.query or parts.fragment or "@" in parts.netloc or ".well-known" in url)
    return named and alone and url.isascii()
