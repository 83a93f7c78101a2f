"""System checks: what does not fit together is found at start, not at 3 am.

Importing registers them. An Error means that the service would lose work or serve nobody; a
Warning that it works otherwise than its settings say.
"""

from jobs.operations.checks import (
    known_secrets,
    limits_make_sense,
    origins,
    sandbox,
    scanner,
    servers_suit,
    settings_agree,
    store_address,
    telling,
)

__all__ = [
    "known_secrets",
    "limits_make_sense",
    "origins",
    "sandbox",
    "scanner",
    "servers_suit",
    "settings_agree",
    "store_address",
    "telling",
]
