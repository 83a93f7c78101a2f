"""URLs of uploads."""

from __future__ import annotations

from django.urls import path

from jobs.kinds.upload import form
from jobs.web import converters as converters  # registers `<job:...>`
from jobs.web.api import uploads
from jobs.web.content_negotiation import page_or_api

send = uploads.Uploads.as_view()

urlpatterns = [
    path("upload", page_or_api(form.upload, send, reads_body=True), name="upload"),
    path("upload/chunked", uploads.Chunked.as_view(), name="upload-chunked"),
    path("upload/chunked/<job:job_id>", uploads.ChunkedUpload.as_view(), name="chunked-upload"),
]
