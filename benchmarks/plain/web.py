"""One view with one query by the ORM, without authentication and middleware."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.plain.settings")

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

application = get_wsgi_application()

from django.contrib.contenttypes.models import ContentType


def status(request: HttpRequest, name: str) -> JsonResponse:  # noqa: ARG001
    row = ContentType.objects.get(model=name)  # a table that always has rows
    return JsonResponse({"jobId": row.pk, "name": row.model, "status": "completed"})


urlpatterns = [path("v1/download/status/<str:name>", status)]
