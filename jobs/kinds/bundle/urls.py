"""URLs of bundles, and of the start page, where people choose their files."""

from __future__ import annotations

from django.urls import path

from jobs.kinds.bundle import api, form

urlpatterns = [
    path("", form.bundle_form, name="choose"),
    path("v1/download/initiate", api.Initiate.as_view(), name="initiate"),
    path("v1/download/start", api.Start.as_view(), name="start"),
]
