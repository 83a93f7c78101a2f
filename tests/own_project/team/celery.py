"""The Celery app that runs the service's jobs."""

import os

from celery import Celery

from jobs.engine.celery_app import configure_celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "team.settings")

app = Celery("team")
app.config_from_object("django.conf:settings", namespace="CELERY")
configure_celery(app)
