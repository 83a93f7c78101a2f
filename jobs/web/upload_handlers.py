"""Django's handler for files in forms that it reads itself."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, SkipFile


class NoFiles(FileUploadHandler):
    """Makes Django skip files in forms that it reads, which it would store on the local disk."""

    def handle_raw_input(self, *args: Any, **_: Any) -> None:
        """Reject a long body before it is read."""
        _input, _meta, content_length = args[:3]
        if content_length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig

    def new_file(self, *_: Any, **__: Any) -> None:
        raise SkipFile
