"""What a provider or a gateway says about an account, written to its row only where it changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

MAX_EMAIL_CHARS = 254
MAX_NAME_CHARS = 150


@dataclass(frozen=True)
class AccountDetails:
    """None, or an empty text, changes nothing."""

    email: str = ""
    first_name: str = ""
    last_name: str = ""
    groups: frozenset[str] | None = None


def update_account(user: User, details: AccountDetails) -> None:
    """Update the account. Its groups become those of the details that exist in the admin.

    No group is created: an operator does that, who also gives it permissions. With STAFF_GROUP,
    the groups say who is staff, too.
    """
    values = {
        "email": details.email if _is_usable(user, details.email) else "",
        "first_name": details.first_name[:MAX_NAME_CHARS],
        "last_name": details.last_name[:MAX_NAME_CHARS],
    }
    changed: dict[str, str | bool] = {name: value for name, value in values.items() if value}
    if details.groups is not None and settings.STAFF_GROUP:
        changed["is_staff"] = settings.STAFF_GROUP in details.groups
    changed = {name: value for name, value in changed.items() if getattr(user, name) != value}
    for name, value in changed.items():
        setattr(user, name, value)
    if changed:
        user.save(update_fields=list(changed))
    if details.groups is not None:
        _set_groups(user, details.groups)


def _set_groups(user: User, names: frozenset[str]) -> None:
    groups = {group.pk for group in Group.objects.filter(name__in=names)}
    if groups != set(user.groups.values_list("pk", flat=True)):
        user.groups.set(groups)


def _is_usable(user: User, email: str) -> bool:
    """Return whether it is an address, and free where a project's users have unique ones."""
    try:
        validate_email(email)
    except ValidationError:
        return False
    others: Any = type(user)._default_manager.filter(email=email).exclude(pk=user.pk)
    is_unique = getattr(user._meta.get_field("email"), "unique", False)
    return len(email) <= MAX_EMAIL_CHARS and not (is_unique and others.exists())
