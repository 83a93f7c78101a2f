"""Signing in through a provider of OpenID Connect, over real HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from jobs.default_settings import sign_in as sign_in_settings
from jobs.models import OidcIdentity
from jobs.models.oidc_identity import OidcIdentityManager
from tests.factories import UserFactory
from tests.oidc import OTHER_KEY, MockServer, Provider
from tests.pages.looks import BROWSER, text

pytestmark = pytest.mark.django_db(transaction=True)

START, CALLBACK = "/sign-in/oidc", "/sign-in/oidc/callback"
REFUSED = "Acme did not sign you in. Try again, or contact your administrator."


@pytest.fixture(scope="module")
def mock_server() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server


@pytest.fixture
def provider(mock_server: MockServer, settings: Any) -> Iterator[Provider]:
    with Provider(mock_server) as provider:
        settings.OIDC_ISSUER = provider.issuer
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = "downloads", "secret"
        settings.OIDC_NAME = "Acme"
        provider.set_user(
            "42",
            preferred_username="alice",
            email="alice@acme.example",
            email_verified=True,
            given_name="Alice",
            family_name="Liddell",
        )
        yield provider


def browser() -> Client:
    return Client(headers=BROWSER)


def callback_url(client: Client, provider: Provider, subject: str = "42", next: str = "/") -> str:
    """Start, and sign in at the provider. Return where that sends the browser."""
    url = client.get(START, {"next": next})["Location"]
    assert url.startswith(f"{provider.issuer}/oauth2/authorize?")
    return provider.authorize(url, subject)


def sign_in(client: Client, provider: Provider, subject: str = "42", **options: Any) -> Any:
    parts = urlsplit(callback_url(client, provider, subject, **options))
    assert (parts.netloc, parts.path) == ("testserver", CALLBACK)
    return client.get(f"{parts.path}?{parts.query}")


def user_of(client: Client) -> User | None:
    return User.objects.filter(pk=client.session.get("_auth_user_id")).first()


def error_on(client: Client, response: Any) -> str:
    """Return the sentence on the sign-in page that this response leads to."""
    assert (response.status_code, response["Location"]) == (303, "/sign-in")
    page = text(client.get("/sign-in"))
    return page.split('role="alert">')[1].split("</svg>")[1].split("<")[0]


def test_without_a_provider_there_is_no_button(db: None) -> None:
    assert START not in text(browser().get("/sign-in"))
    assert browser().get(START).status_code == 404
    assert browser().get(CALLBACK).status_code == 404


def test_a_new_user_gets_an_account(provider: Provider) -> None:
    client = browser()
    assert "Sign in with Acme" in text(client.get("/sign-in"))

    response = sign_in(client, provider, next="/downloads")

    assert (response.status_code, response["Location"]) == (303, "/downloads")
    user = user_of(client)
    assert user
    assert (user.username, user.email) == ("alice", "alice@acme.example")
    assert user.get_full_name() == "Alice Liddell"
    assert not user.has_usable_password()
    assert (user.is_staff, user.is_superuser) == (False, False)
    assert provider.pkce_is_right
    assert "can be changed there" in text(client.get("/settings"))  # the address
    assert client.get("/v1/download/jobs").status_code == 200


def test_a_known_subject_keeps_its_account(provider: Provider) -> None:
    sign_in(browser(), provider)
    provider.set_user("42", preferred_username="alice.liddell", given_name="Al")

    sign_in(browser(), provider)

    user = User.objects.get()
    assert (user.username, user.first_name) == ("alice", "Al")
    assert user.email == "alice@acme.example"


def test_an_account_that_was_there_before_is_not_taken_over(
    provider: Provider, alice: User
) -> None:
    alice.email = "alice@acme.example"
    alice.save()
    client = browser()

    sign_in(client, provider)

    user = user_of(client)
    assert user
    assert (user.pk != alice.pk, user.username) == (True, "alice-2")
    alice.refresh_from_db()
    assert not alice.oidc_identities.exists()  # type: ignore[attr-defined]


def test_an_operator_can_link_an_account(provider: Provider, alice: User) -> None:
    OidcIdentity.objects.create(user=alice, issuer=provider.issuer, subject="42")
    client = browser()

    sign_in(client, provider)

    assert user_of(client) == alice


def test_the_same_subject_of_another_issuer_is_somebody_else(
    provider: Provider, alice: User
) -> None:
    OidcIdentity.objects.create(user=alice, issuer="https://other.example", subject="42")
    client = browser()

    sign_in(client, provider)

    assert user_of(client) != alice


@pytest.mark.parametrize("verified", [False, None, "true"])
def test_an_unverified_address_is_not_used(provider: Provider, verified: Any) -> None:
    provider.set_user("7", preferred_username="x", email="x@y.example", email_verified=verified)

    sign_in(browser(), provider, "7")

    assert User.objects.get().email == ""


def test_groups_follow_the_provider_at_each_sign_in(provider: Provider, settings: Any) -> None:
    settings.OIDC_GROUPS_CLAIM, settings.STAFF_GROUP = "groups", "operators"
    for name in ("editors", "readers", "local"):
        Group.objects.create(name=name)

    def groups_after(**claims: Any) -> tuple[set[str], bool]:
        provider.set_user("42", preferred_username="alice", **claims)
        sign_in(browser(), provider)
        user = User.objects.get()
        return set(user.groups.values_list("name", flat=True)), user.is_staff

    assert groups_after(groups=["/editors", "operators", "unknown"]) == ({"editors"}, True)
    assert groups_after(groups=["readers"]) == ({"readers"}, False)
    assert groups_after(groups="editors") == ({"editors"}, False)
    assert groups_after() == (set(), False)  # providers leave out what is empty
    assert Group.objects.count() == 3


def test_without_the_setting_groups_stay(provider: Provider, settings: Any) -> None:
    settings.STAFF_GROUP = "operators"
    sign_in(browser(), provider)
    user = User.objects.get()
    user.groups.add(Group.objects.create(name="local"))
    User.objects.update(is_staff=True)

    sign_in(browser(), provider)

    user.refresh_from_db()
    assert (user.groups.count(), user.is_staff) == (1, True)


def test_a_disabled_account_stays_out(provider: Provider) -> None:
    sign_in(browser(), provider)
    User.objects.update(is_active=False, first_name="")
    client = browser()

    response = sign_in(client, provider)

    assert error_on(client, response) == "This account is disabled."
    assert user_of(client) is None
    assert User.objects.get().first_name == ""


def test_two_sign_ins_of_a_new_user_at_once_make_one_account(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [browser(), browser()]
    urls = [callback_url(client, provider) for client in clients]
    both, known = threading.Barrier(2), OidcIdentityManager._known
    first = threading.local()

    def wait_for_the_other(self: Any, *args: str) -> User | None:
        found = known(self, *args)
        if not hasattr(first, "seen"):
            first.seen = both.wait(30)
        return found

    monkeypatch.setattr(OidcIdentityManager, "_known", wait_for_the_other)

    def finish(client: Client, url: str) -> int:
        try:
            return client.get(url.removeprefix("http://testserver")).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(finish, clients, urls)) == [303, 303]

    user = User.objects.get()
    assert [user_of(client) for client in clients] == [user, user]
    assert OidcIdentity.objects.count() == 1


def test_a_state_of_another_browser_is_refused(provider: Provider) -> None:
    url = callback_url(browser(), provider).removeprefix("http://testserver")
    victim = browser()

    for client, path in ((victim, url), (victim, f"{CALLBACK}?code=x&state=y"), (victim, CALLBACK)):
        sentence = error_on(client, client.get(path))
        assert sentence == "This sign-in is too old, or began in another browser. Try again."
    assert user_of(victim) is None
    assert not User.objects.exists()


def test_a_callback_works_once(provider: Provider) -> None:
    client = browser()
    url = callback_url(client, provider).removeprefix("http://testserver")
    client.get(url)
    client.post("/sign-out")

    assert "Try again." in error_on(client, client.get(url))
    assert user_of(client) is None


def test_sessions_of_unfinished_sign_ins_are_short(provider: Provider, settings: Any) -> None:
    client = browser()
    url = callback_url(client, provider).removeprefix("http://testserver")
    assert client.session.get_expiry_age() == 3600

    client.get(url)

    assert client.session.get_expiry_age() == settings.SESSION_COOKIE_AGE


def test_starts_of_sign_ins_are_limited(provider: Provider, settings: Any) -> None:
    settings.RATES = settings.RATES | {"search": ["address:2/600"]}

    assert [browser().get(START).status_code for _ in range(3)] == [302, 302, 429]


def test_signing_out_may_redirect_to_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in_settings, "OIDC_ISSUER", "https://id.example.com/realms/main")

    assert sign_in_settings.oidc_origins() == ["https://id.example.com"]  # in form-action


def test_a_user_who_cancels_is_told(provider: Provider) -> None:
    client = browser()
    url = provider.authorize(client.get(START)["Location"], "42", action="deny")

    assert "error=access_denied" in url
    assert error_on(client, client.get(url.removeprefix("http://testserver"))) == REFUSED


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "wrong"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": ["another-client"], "azp": "downloads"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": -3600},
        {"exp": None},
        {"iat": 3600},
        {"sub": None},
        {"sub": 42},
    ],
    ids=str,
)
def test_an_id_token_with_a_wrong_claim_is_refused(
    provider: Provider, claims: dict[str, Any]
) -> None:
    now = int(time.time())  # "exp" and "iat" are relative to it
    provider.claims = {
        name: now + value if value and name in ("exp", "iat") else value
        for name, value in claims.items()
    }
    client = browser()

    assert error_on(client, sign_in(client, provider)) == REFUSED
    assert user_of(client) is None
    assert not User.objects.exists()


def test_an_id_token_with_right_claims_is_taken(provider: Provider) -> None:
    provider.claims = {}
    client = browser()

    sign_in(client, provider)

    assert user_of(client)


@pytest.mark.parametrize("forgery", ["another key", "none", "unknown key"])
def test_a_forged_id_token_is_refused(provider: Provider, forgery: str) -> None:
    provider.claims = {}
    if forgery == "another key":
        provider.signed_with = OTHER_KEY
    elif forgery == "unknown key":
        provider.header = {"alg": "RS256", "kid": "unknown"}
    else:
        provider.header = {"alg": "none"}
        provider.metadata = {"id_token_signing_alg_values_supported": ["none", "RS256"]}
    client = browser()

    assert error_on(client, sign_in(client, provider)) == REFUSED
    assert not User.objects.exists()


def test_a_provider_that_names_another_issuer_is_refused(provider: Provider) -> None:
    provider.metadata = {"issuer": "https://other.example"}
    client = browser()

    assert error_on(client, client.get(START)) == REFUSED


def test_a_provider_that_is_down_leaves_the_page_working(
    provider: Provider, settings: Any, alice: User
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.OIDC_ISSUER = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = browser()

    sentence = error_on(client, client.get(START))

    assert sentence == "Acme can&#x27;t be reached right now. Try again soon."
    client.post("/sign-in", {"username": "alice", "password": "correct horse"})
    assert user_of(client) == alice


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/oauth2/token", "/jwks"])
def test_a_slow_provider_is_given_up(provider: Provider, settings: Any, path: str) -> None:
    settings.OIDC_TIMEOUT_SECONDS = 1
    provider.held = {path}
    client, begun = browser(), time.monotonic()

    response = client.get(START)
    if response["Location"] != "/sign-in":
        url = provider.authorize(response["Location"], "42")
        response = client.get(url.removeprefix("http://testserver"))

    assert "reached right now" in error_on(client, response)
    assert time.monotonic() - begun < 30
    assert user_of(client) is None


@pytest.mark.parametrize("name", [None, "", "a b", "x" * 151, 7])
def test_a_username_that_cannot_be_is_a_sentence(provider: Provider, name: Any) -> None:
    provider.set_user("9", preferred_username=name)
    client = browser()

    assert "username" in error_on(client, sign_in(client, provider, "9"))
    assert not User.objects.exists()


@pytest.mark.parametrize("next", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_signing_in_never_leads_to_another_site(provider: Provider, next: str) -> None:
    assert sign_in(browser(), provider, next=next)["Location"] == "/"


def test_signing_out_ends_the_session_of_the_provider_too(provider: Provider) -> None:
    client = browser()
    sign_in(client, provider)
    token = client.session["oidc_id_token"]

    url = client.post("/sign-out")["Location"]

    assert url.startswith(f"{provider.issuer}/oauth2/end_session?")
    query = parse_qs(urlsplit(url).query)
    assert query["id_token_hint"] == [token]
    assert query["post_logout_redirect_uri"] == ["http://testserver/sign-in"]
    assert user_of(client) is None


def test_signing_out_of_a_password_session_stays_here(provider: Provider, alice: User) -> None:
    client = browser()
    client.post("/sign-in", {"username": "alice", "password": "correct horse"})

    assert client.post("/sign-out")["Location"] == "/sign-in"


def test_only_superusers_link_accounts(client: Client) -> None:
    url = "/admin/jobs/oidcidentity/"
    for is_superuser, status in ((False, 403), (True, 200)):
        client.force_login(UserFactory(is_staff=True, is_superuser=is_superuser))
        assert client.get(url).status_code == status
        assert client.get(f"{url}add/").status_code == status
