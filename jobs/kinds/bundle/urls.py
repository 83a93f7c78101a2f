"""URLs of the start page, where people choose the files of a zip."""

from __future__ import annotations

from django.urls import path

from jobs.web.pages import choose

urlpatterns = [
    path("", choose.choose, name="choose"),
]
