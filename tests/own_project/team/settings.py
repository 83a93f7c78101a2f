"""The team's settings: the service's, and its own below."""

import os

from jobs.default_settings import *  # noqa: F403
from jobs.default_settings import INSTALLED_APPS, KINDS, MIDDLEWARE

SECRET_KEY = os.environ["TEAM_SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "team.urls"
WSGI_APPLICATION = "team.wsgi.application"
CELERY_APP = "team.celery.app"
AUTH_USER_MODEL = "people.Person"
INSTALLED_APPS = ["team.apps.TeamAdmin", "people", "catalog", *INSTALLED_APPS]
INSTALLED_APPS.remove("django.contrib.admin")  # team.apps.TeamAdmin stands for it
MIDDLEWARE = [*MIDDLEWARE, "team.middleware.TeamMiddleware"]
KINDS = [*KINDS, "catalog.kinds.PriceList"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["TEAM_DB_HOST"],
        "PORT": os.environ["TEAM_DB_PORT"],
        "USER": os.environ["TEAM_DB_USER"],
        "PASSWORD": os.environ["TEAM_DB_PASSWORD"],
        "NAME": "team",
    }
}
