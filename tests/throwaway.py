"""Servers for tests, and the environment that leads Django to them. Imports nothing of Django."""

from __future__ import annotations

import os

from downloads_project.local.stack import Stack

# Servers that somebody needs; the tests' are their own.
OTHERS = ("DATABASE_URL", "REDIS_URL", "CACHE_URL", "S3_ENDPOINT_URL", "S3_PUBLIC_ENDPOINT_URL")


def start(stack: Stack) -> None:
    """Start the servers and set this process' environment, before Django reads its settings."""
    for name in OTHERS:
        os.environ.pop(name, None)
    os.environ |= {"PRODUCTION": "false", "ENV_FILES": ""}  # no developer's own settings
    os.environ["CLAMD"] = "off"  # a test that wants a scanner starts one: tests/clamd.py
    os.environ["EMAIL_URL"] = "memorymail://"  # one that wants a mail server: tests/notifications
    os.environ |= stack.start()
    os.environ["DJANGO_SETTINGS_MODULE"] = "downloads_project.settings"
