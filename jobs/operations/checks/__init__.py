"""System checks, which find wrong settings at start. Importing registers them.

An Error means that the service would lose work or not work at all, a Warning that it works, but
not as its settings say.
"""

from jobs.operations.checks import (
    contradictions,
    known_secrets,
    limits,
    notifications,
    origins,
    scanner,
    servers,
    store_address,
)

__all__ = [
    "contradictions",
    "known_secrets",
    "limits",
    "notifications",
    "origins",
    "scanner",
    "servers",
    "store_address",
]
