"""The URL of registrations."""

from __future__ import annotations

from django.urls import path

from jobs.kinds.register import api

urlpatterns = [path("v1/files", api.Files.as_view(), name="files")]
