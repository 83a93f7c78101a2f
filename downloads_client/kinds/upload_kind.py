"""Uploads: files of this machine, which the service checks and processes."""

from __future__ import annotations

from downloads_client.kinds.base import DownloadKind


class UploadKind(DownloadKind):
    """Requested by a command of its own, whose name is the kind's."""

    name = "upload"
    description = "files of this machine"
    path = "upload/chunked"
    running = "Processing"
    completed = "Processed"


UPLOAD = UploadKind()
