"""Settings of signing in through a gateway or a provider of OpenID Connect: docs/sign-in.md."""

from __future__ import annotations

from urllib.parse import urlsplit

from jobs.lib.settings_environment import env

# Behind an authenticating gateway: the header with the user, as in X-User-Id, and the addresses of
# the gateway. Others may not send that header. Empty: no gateway.
GATEWAY_USER_HEADER = env.str("GATEWAY_USER_HEADER", default="")
GATEWAY_ADDRESSES = env.list("GATEWAY_ADDRESSES", default=[])
# Its headers with the email address, and with groups that commas separate.
GATEWAY_EMAIL_HEADER = env.str("GATEWAY_EMAIL_HEADER", default="")
GATEWAY_GROUPS_HEADER = env.str("GATEWAY_GROUPS_HEADER", default="")

# A provider of OpenID Connect; empty: none. Its discovery document has the other addresses.
OIDC_ISSUER = env.str("OIDC_ISSUER", default="")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", default="")
OIDC_SCOPES = env.list("OIDC_SCOPES", default=["openid", "email", "profile"])
OIDC_NAME = env.str("OIDC_NAME", default="single sign-on")  # as in "Sign in with Google"
OIDC_USERNAME_CLAIM = env.str("OIDC_USERNAME_CLAIM", default="preferred_username")
OIDC_GROUPS_CLAIM = env.str("OIDC_GROUPS_CLAIM", default="")  # empty: groups are not changed
OIDC_TIMEOUT_SECONDS = 5  # between two bytes of the provider
# Who is in this group, of the provider or the gateway, is staff, and nobody else.
STAFF_GROUP = env.str("STAFF_GROUP", default="")


def oidc_origins() -> list[str]:
    """Return the origin of the provider, where signing out redirects to."""
    parts = urlsplit(OIDC_ISSUER)
    return [f"{parts.scheme}://{parts.netloc}"] if parts.netloc else []
