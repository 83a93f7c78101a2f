"""Create API keys, within a limit for each owner."""

from __future__ import annotations

from django.db import transaction

from jobs.engine import quota
from jobs.errors import TooManyKeys
from jobs.models import ApiKey
from jobs.models.api_key import SHOWN_CHARS, key_digest, new_key
from jobs.models.preferences import new_secret

MAX_KEYS = 50  # of an owner, beside revoked ones
REVOKED_KEPT = 50  # of an owner, the newest


def create_api_key(key: ApiKey) -> str | None:
    """Save a new key, whose values are valid. Return the key itself, which is not stored.

    Returns None if there is a key with this id: a form that is sent twice makes one key. Raises
    TooManyKeys.
    """
    secret = new_key()
    key.prefix, key.digest = secret[:SHOWN_CHARS], key_digest(secret)
    key.webhook_secret = new_secret() if key.webhook else ""
    with transaction.atomic():
        quota.lock_owners([key.owner_id])  # so that two requests cannot both be the last one
        if ApiKey.objects.filter(pk=key.pk).exists():
            return None
        own = ApiKey.objects.filter(owner=key.owner_id)
        if own.listed().count() >= MAX_KEYS:
            raise TooManyKeys(f"You have {MAX_KEYS} keys. Revoke one first.")
        key.save(force_insert=True)
        _delete_oldest_revoked(key.owner_id)
    return secret


def _delete_oldest_revoked(owner_id: int) -> None:
    revoked = ApiKey.objects.filter(owner=owner_id, revoked_at__isnull=False)
    kept = revoked.order_by("-revoked_at").values_list("pk", flat=True)[:REVOKED_KEPT]
    revoked.exclude(pk__in=list(kept)).delete()
