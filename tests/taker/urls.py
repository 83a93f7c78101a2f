"""POST /take accepts a form with a file of at most MAX_BYTES, without authentication."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpRequest
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.web.multipart_form import MultipartForm
from jobs.web.multipart_problems import no_file_problem

handler400 = "jobs.web.error_handlers.bad_request"
handler500 = "jobs.web.error_handlers.server_error"
MAX_BYTES = 3_000_000


class Take(APIView):
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    throttle_classes: list[Any] = []
    reads_forms = True

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.form = MultipartForm(request, max_bytes=MAX_BYTES)
        return super().initialize_request(request, *args, **kwargs)

    def post(self, request: Request) -> Response:
        file = self.form.file()
        if file is None:
            raise no_file_problem()
        digest = hashlib.sha256()
        for piece in file:
            digest.update(piece)
        told = {"name": file.name, "sha256": digest.hexdigest(), "fields": self.form.fields}
        return Response(told)


urlpatterns = [path("take", Take.as_view()), path("", include("downloads_project.urls"))]
