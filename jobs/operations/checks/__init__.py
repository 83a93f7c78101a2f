"""System checks, which find wrong settings at start. Importing registers them.

An Error means that the service would lose work or not work at all, a Warning that it works, but
not as its settings say.
"""

from jobs.operations.checks import (
    buckets,
    celery_app,
    contradictions,
    kinds,
    known_secrets,
    mail_addresses,
    origins,
    outbound_hosts,
    proxies,
    rate_limits,
    servers,
    sign_in,
    store_address,
    tracing,
    virus_scanner,
)

__all__ = [
    "buckets",
    "celery_app",
    "contradictions",
    "kinds",
    "known_secrets",
    "mail_addresses",
    "origins",
    "outbound_hosts",
    "proxies",
    "rate_limits",
    "servers",
    "sign_in",
    "store_address",
    "tracing",
    "virus_scanner",
]
