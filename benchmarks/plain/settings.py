"""The minimal settings of a view and a task, on the database in DATABASE_URL."""

import os

import environ

DATABASES = {"default": environ.Env().db("DATABASE_URL") | {"CONN_MAX_AGE": None}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_celery_results"]
ROOT_URLCONF = "benchmarks.plain.web"
SECRET_KEY = "of a benchmark"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CELERY_BROKER_URL = os.environ["REDIS_URL"]
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True  # as in the service
USE_TZ = True
