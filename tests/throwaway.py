"""Start temporary servers for tests and set their environment. Does not import Django."""

from __future__ import annotations

import os

from downloads_project.local.stack import Stack

# The developer's servers, which tests must not use.
OTHERS = (
    "DATABASE_URL",
    "DATABASE_REPLICA_URL",
    "REDIS_URL",
    "CACHE_URL",
    "S3_ENDPOINT_URL",
    "S3_PUBLIC_ENDPOINT_URL",
)


def start(stack: Stack) -> None:
    """Start the servers and set this process' environment, before Django reads its settings."""
    for name in OTHERS:
        os.environ.pop(name, None)
    os.environ |= {"PRODUCTION": "false", "ENV_FILES": ""}  # without the developer's settings
    os.environ["CLAMD"] = "off"  # tests of the scanner start one: tests/clamd.py
    os.environ["EMAIL_URL"] = "memorymail://"  # tests of mail start a server: tests/notifications
    os.environ |= stack.start()
    os.environ["DJANGO_SETTINGS_MODULE"] = "downloads_project.settings"
