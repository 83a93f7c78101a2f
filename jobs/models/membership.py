"""The groups that a user is in, whatever model of users the project has."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from jobs.models.compiled import QuerySlot


def group_ids_of(user_id: int | QuerySlot) -> QuerySet[Any] | None:
    """Return a query of the ids of the user's groups; None if the project's users have none."""
    groups: Any = getattr(get_user_model(), "groups", None)
    through = getattr(groups, "through", None)
    if through is None:
        return None
    user, group = groups.field.m2m_field_name(), groups.field.m2m_reverse_field_name()
    rows: QuerySet[Any] = through._default_manager.filter(**{user: user_id})
    return rows.values_list(f"{group}_id", flat=True)
