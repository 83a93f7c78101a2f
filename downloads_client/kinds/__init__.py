"""The kinds of downloads that the client can request.

To add one, write a module with a subclass of DownloadKind, and add an instance to KINDS.
"""

from __future__ import annotations

from downloads_client.kinds.base import DownloadKind
from downloads_client.kinds.bundle_kind import BundleKind
from downloads_client.kinds.link_kind import LinkKind
from downloads_client.kinds.report_kind import ReportKind
from downloads_client.kinds.upload_kind import UPLOAD

__all__ = ["KINDS", "UPLOAD", "DownloadKind", "kind_named"]

# In the order of --help.
KINDS: tuple[DownloadKind, ...] = (BundleKind(), LinkKind(), ReportKind())


def kind_named(name: str) -> DownloadKind:
    """Return the kind of a job, or one with the defaults if the client cannot request it."""
    return next((kind for kind in (*KINDS, UPLOAD) if kind.name == name), DownloadKind())
