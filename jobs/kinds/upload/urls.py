"""URLs of uploads."""

from __future__ import annotations

from django.urls import path

from jobs.kinds.upload import api, form
from jobs.web import converters as converters  # registers `<job:...>`
from jobs.web.content_negotiation import page_or_api

send = api.UploadView.as_view()

urlpatterns = [
    path("upload", page_or_api(form.upload_form, send, reads_body=True), name="upload"),
    path("upload/chunked", api.ChunkedUploadView.as_view(), name="upload-chunked"),
    path("upload/chunked/<job:job_id>", api.ChunkedUpload.as_view(), name="chunked-upload"),
    path("status/<job:job_id>", api.StatusAlias.as_view(), name="status-alias"),
]
