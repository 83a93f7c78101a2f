"""The Django project. Importing the Celery app here makes `current_app` ours everywhere."""

from downloads_project.celery import app as celery_app

__all__ = ["celery_app"]
