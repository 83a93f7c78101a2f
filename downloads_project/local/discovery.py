"""What this machine has besides the stack: a virus scanner, and mail."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from jobs.errors import ScannerUnavailable
from jobs.lib import scanner as clamd

# Where a clamd listens on Debian, and in a container whose port is published.
SCANNERS = ["unix:///run/clamav/clamd.ctl", "tcp://127.0.0.1:3310"]
SCANNER_SECONDS = 1  # timeout


def discover_scanner() -> dict[str, str]:
    """Return CLAMD unless it is set: the virus scanner of this machine, or off. Prints which."""
    if "CLAMD" in os.environ:
        return {}
    for address in SCANNERS:
        with suppress(ScannerUnavailable):
            clamd.ping_scanner(address, seconds=SCANNER_SECONDS)
            print(f"Uploads are scanned for viruses by {address}", flush=True)
            return {"CLAMD": address}
    print(
        "Uploads are not scanned for viruses: no clamd responds here (see CLAMD in .env.example)",
        flush=True,
    )
    return {"CLAMD": clamd.OFF}


def discover_mail(folder: Path) -> dict[str, str]:
    """Return EMAIL_URL unless it is set: mails are written to files. Prints where."""
    if "EMAIL_URL" in os.environ:
        return {}
    shown = os.path.relpath(folder)
    print(f"Mails are written to {shown} (see EMAIL_URL in .env.example)", flush=True)
    return {"EMAIL_URL": f"filemail:///{quote(str(folder))}"}
