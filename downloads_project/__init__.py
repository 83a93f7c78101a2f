"""The Django project: settings, the Celery app, and how all of it is run on one machine."""
