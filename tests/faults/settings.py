"""The service's settings, and a way to make its processes die at a chosen line."""

from downloads_project.settings import *  # noqa: F403
from downloads_project.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.sabotage.Sabotage"]
