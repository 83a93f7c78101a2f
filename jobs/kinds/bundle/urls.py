"""URLs of the start page, where people choose the files of a zip."""

from __future__ import annotations

from django.urls import path

from jobs.kinds.bundle import form

urlpatterns = [
    path("", form.choose, name="choose"),
]
