"""The service's settings, with `/take`."""

from downloads_project.settings import *  # noqa: F403

ROOT_URLCONF = "tests.taker.urls"
