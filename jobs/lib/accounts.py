"""The users of the project: of its AUTH_USER_MODEL, whatever that is.

Annotations say `User` of django.contrib.auth, which a project's model resembles: it has
`is_active`, `is_staff`, `email`, and permissions, as subclasses of AbstractUser do.
"""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User


def account_named(name: str) -> User | None:
    """Return the user who signs in with exactly this name. Names are case-sensitive."""
    return get_user_model()._default_manager.filter(**{username_field(): name}).first()


def username_field() -> str:
    """Return the field of the model whose value users sign in with."""
    return str(get_user_model().USERNAME_FIELD)
