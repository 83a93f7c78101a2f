"""API keys on the settings page: the list, and the form of a new key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from django.http import HttpRequest, QueryDict
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from jobs.engine.api_keys import create_api_key
from jobs.errors import BlockedAddress, LimitReached
from jobs.models import ApiKey, KeyScope
from jobs.web import wording
from jobs.web.api_keys import KeyRequest
from jobs.web.authentication import authenticated_user
from jobs.web.pages.form_errors import REQUIRED
from jobs.web.pages.form_submit import form_error_sentences

EXPIRY = {"30": "30 days", "90": "90 days", "365": "1 year", "": "Never"}
MEANINGS = {
    KeyScope.READ: "see downloads and files",
    KeyScope.START: "start, cancel and retry downloads",
    KeyScope.UPLOAD: "upload files",
    KeyScope.ADMIN: "what you may do as staff",
}
SENTENCES = {
    "name": {"blank": REQUIRED, "required": REQUIRED},
    "scopes": {"": "Choose at least one."},
    "webhook": {},
}


@dataclass(frozen=True)
class KeyForm:
    """The form of a new key. Its `id` becomes that of the key, so sent twice it makes one key."""

    id: UUID = field(default_factory=uuid4)
    name: str = ""
    scopes: tuple[str, ...] = (KeyScope.READ, KeyScope.START)
    days: str = "90"
    webhook: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    status: int = 200

    @classmethod
    def of(cls, sent: QueryDict) -> KeyForm:
        try:
            id = UUID(sent.get("id", ""))
        except ValueError:
            id = uuid4()
        days = sent.get("days", "")
        return cls(
            id=id,
            name=sent.get("name", "").strip(),
            scopes=tuple(sent.getlist("scopes")),
            days=days if days in EXPIRY else "90",
            webhook=sent.get("webhook", "").strip(),
        )

    def data(self) -> dict[str, Any]:
        """Return the body of the same request to the API."""
        data: dict[str, Any] = {"name": self.name, "scopes": list(self.scopes)}
        if self.days:
            ends = timezone.now() + timedelta(days=int(self.days))
            data["expiresAt"] = ends.isoformat(timespec="seconds")
        return data | ({"webhook": self.webhook} if self.webhook else {})


@dataclass(frozen=True)
class ShownKey:
    key: ApiKey
    scopes: str
    expires: str  # "Expires 3 March at 14:00", without a time "Does not expire"
    last_used: str
    webhook: str  # the host: the rest may be a secret


@dataclass(frozen=True)
class NewKey:
    """A key that was created just now. It is shown on this page only."""

    key: ApiKey
    text: str


def create_key(request: HttpRequest, form: KeyForm) -> NewKey | KeyForm | None:
    """Return the new key, or the form with its errors; None if it was sent before."""
    context = {"owner": authenticated_user(request)}
    serializer = KeyRequest(data=form.data(), context=context)
    try:
        serializer.is_valid(raise_exception=True)
        key = serializer.key()
        key.pk = form.id
        text = create_api_key(key)
    except ValidationError as error:
        details: Any = error.get_full_details()
        return _with_errors(form, form_error_sentences(details, SENTENCES), 400)
    except BlockedAddress as error:
        return _with_errors(form, {"webhook": str(error)}, 422)
    except LimitReached as error:
        return _with_errors(form, {"form": str(error)}, 429)
    return NewKey(key, text) if text else None


def _with_errors(form: KeyForm, errors: dict[str, str], status: int) -> KeyForm:
    return KeyForm(form.id, form.name, form.scopes, form.days, form.webhook, errors, status)


def keys_context(request: HttpRequest, form: KeyForm | None = None) -> dict[str, Any]:
    """Return what the template of the keys needs."""
    now, user = timezone.now(), authenticated_user(request)
    return {
        "keys": [_shown(key, now) for key in ApiKey.objects.filter(owner=user).listed()],
        "key_form": form or KeyForm(),
        "expiry": EXPIRY,
        "scopes": [
            (scope, scope.label, meaning)
            for scope, meaning in MEANINGS.items()
            if scope != KeyScope.ADMIN or user.is_staff
        ],
    }


def _shown(key: ApiKey, now: datetime) -> ShownKey:
    used = key.last_used_at
    return ShownKey(
        key=key,
        scopes=", ".join(key.scopes),
        expires=wording.moment_text(key.expires_at, now) if key.expires_at else "",
        last_used=wording.moment_text(used, now) if used else "",
        webhook=(urlsplit(key.webhook).hostname or "") if key.webhook else "",
    )
