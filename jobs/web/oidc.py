"""The client of a provider of OpenID Connect: Authlib's, with state, nonce and PKCE.

Turns the library's errors into SignInFailed. Knows neither pages nor accounts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import requests
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.django_client import OAuth
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from joserfc.errors import JoseError

from jobs.lib.account_details import AccountDetails

log = structlog.get_logger(__name__)

METADATA_SECONDS = 3600  # before the discovery document is read again
LEEWAY_SECONDS = 30  # by which clocks may differ
# No shared secrets, and above all not "none".
ALGORITHMS = {f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)}
ALGORITHMS |= {"EdDSA", "Ed25519"}
ID_TOKEN = "oidc_id_token"  # noqa: S105 # in the session: signing out sends it back


class SignInFailed(Exception):
    """One sentence for the person. The log has the cause."""


def start_oidc(request: HttpRequest, callback: str) -> HttpResponse:
    """Return the redirect to the provider, which redirects to `callback`. Raises SignInFailed."""
    with _failures():
        redirect: HttpResponse = _client().authorize_redirect(request, callback)
        return redirect


def finish_oidc(request: HttpRequest) -> dict[str, Any]:
    """Return the claims of the verified ID token of this sign-in. Raises SignInFailed.

    Reads `state` and `code`. A state works once, in the session that it was made for.
    """
    with _failures():
        client = _client()
        options = {
            "iss": {"essential": True, "value": settings.OIDC_ISSUER},
            "aud": {"essential": True, "value": settings.OIDC_CLIENT_ID},
        }
        token = client.authorize_access_token(
            request, claims_options=options, leeway=LEEWAY_SECONDS
        )
        claims: dict[str, Any] = dict(token["userinfo"])  # KeyError: there was no ID token
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise ValueError("no subject")
        request.session[ID_TOKEN] = token["id_token"]
        return claims


def oidc_sign_out_url(id_token: str, back: str) -> str:
    """Return where the provider signs the user out; empty if it cannot."""
    try:
        with _failures():
            client = _client()
            if not client.load_server_metadata().get("end_session_endpoint"):
                return ""
            made: dict[str, str] = client.create_logout_url(
                post_logout_redirect_uri=back,
                id_token_hint=id_token,
                client_id=settings.OIDC_CLIENT_ID,
            )
            return made["url"]
    except SignInFailed:
        return ""


def username_in(claims: dict[str, Any]) -> str:
    """Return the name for a new account. Raises SignInFailed."""
    name = claims.get(settings.OIDC_USERNAME_CLAIM)
    if isinstance(name, str) and name:
        return name
    log.error("no username", claim=settings.OIDC_USERNAME_CLAIM, sent=sorted(claims))
    raise SignInFailed(f"{_name()} did not send a username. Contact your administrator.")


def account_details_in(claims: dict[str, Any]) -> AccountDetails:
    """Return what the claims say about the account.

    An address counts only if the provider has verified it. With OIDC_GROUPS_CLAIM, a token without
    that claim is one of somebody in no group: providers leave out what is empty.
    """
    groups = None
    if settings.OIDC_GROUPS_CLAIM:
        found = claims.get(settings.OIDC_GROUPS_CLAIM)
        names = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        # Keycloak sends the path of a group, as in /staff.
        groups = frozenset(name.removeprefix("/") for name in names if isinstance(name, str))
    return AccountDetails(
        email=_text(claims, "email") if claims.get("email_verified") is True else "",
        first_name=_text(claims, "given_name"),
        last_name=_text(claims, "family_name"),
        groups=groups,
    )


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    return value.replace("\0", "") if isinstance(value, str) else ""


def _name() -> str:
    name: str = settings.OIDC_NAME
    return name[:1].upper() + name[1:]


def _client() -> Any:
    """Return the client with the provider's metadata. Raises the library's errors."""
    client = _registered(
        settings.OIDC_ISSUER,
        settings.OIDC_CLIENT_ID,
        settings.OIDC_CLIENT_SECRET,
        " ".join(settings.OIDC_SCOPES),
        int(time.monotonic() // METADATA_SECONDS),
    )
    metadata = client.load_server_metadata()
    if metadata.get("issuer") != settings.OIDC_ISSUER:
        raise ValueError(f"OIDC_ISSUER must be {metadata.get('issuer')!r}, as the provider says")
    offered = metadata.get("id_token_signing_alg_values_supported", [])
    metadata["id_token_signing_alg_values_supported"] = sorted(ALGORITHMS & set(offered))
    return client


@lru_cache(maxsize=2)
def _registered(issuer: str, client_id: str, secret: str, scopes: str, _hour: int) -> Any:
    return OAuth().register(
        "oidc",
        client_id=client_id,
        client_secret=secret,
        server_metadata_url=f"{issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": scopes,
            "code_challenge_method": "S256",
            "default_timeout": settings.OIDC_TIMEOUT_SECONDS,
        },
    )


@contextmanager
def _failures() -> Iterator[None]:
    """Turn errors of the library and of the provider into SignInFailed."""
    try:
        yield
    except requests.RequestException as error:
        log.warning("OpenID provider unavailable", error=repr(error))
        sentence = f"{_name()} can't be reached right now. Try again soon."
        raise SignInFailed(sentence) from error
    except MismatchingStateError as error:
        log.info("OpenID state unknown")
        sentence = "This sign-in is too old, or began in another browser. Try again."
        raise SignInFailed(sentence) from error
    except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError, RuntimeError) as error:
        log.warning("OpenID sign-in failed", error=repr(error))
        sentence = f"{_name()} did not sign you in. Try again, or contact your administrator."
        raise SignInFailed(sentence) from error
