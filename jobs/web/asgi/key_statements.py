"""What the native endpoints read of API keys, as SQL: which are valid, and whose they are.

Nothing about keys is cached: a key that is revoked or expires is refused at once.
"""

from __future__ import annotations

from jobs.models import ApiKey, KeyScope
from jobs.web.asgi.job_statements import USER_ID, USERS, own_job_sql

KEYS = ApiKey._meta.db_table


def _usable(scope: KeyScope) -> str:
    """The condition for keys `k` that are valid and have the scope, as ApiKeyQuerySet.usable."""
    return (
        "k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > statement_timestamp())"
        f" AND '{scope.value}' = ANY (k.scopes)"
    )


def own_job_of_key_statement() -> str:
    """As own_job_statement, with the digests of keys in $1."""
    user = f"""
        JOIN {KEYS} k ON k.digest = key.caller AND {_usable(KeyScope.READ)}
        JOIN {USERS} u ON u.{USER_ID} = k.owner_id
    """
    return own_job_sql("text", user)


def key_start_statement() -> str:
    """Select those of the keys $1 that may start jobs: digest, owner, password, prefix, webhook."""
    return f"""
        SELECT k.digest, k.owner_id, u.password, k.prefix, k.webhook
        FROM unnest($1::text[]) AS key (digest)
        JOIN {KEYS} k ON k.digest = key.digest AND {_usable(KeyScope.START)}
        JOIN {USERS} u ON u.{USER_ID} = k.owner_id AND u.is_active
    """
