"""A task that does nothing. Its result is stored in the database."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.plain.settings")

import django
from celery import Celery

django.setup()
app = Celery("plain")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task(name="benchmarks.nothing")
def nothing(number: int) -> int:
    return number
