"""System checks: what does not fit together is found at start, not at 3 am.

Importing registers them. An Error means that the service would lose work or serve nobody; a
Warning that it works otherwise than its settings say.
"""

from jobs.operations.checks import (
    contradictions,
    known_secrets,
    limits,
    notifications,
    origins,
    sandbox,
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
    "sandbox",
    "scanner",
    "servers",
    "store_address",
]
