"""Run the service for a browser, with a file store that can be slowed down or disconnected."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from tests.faults.proxy import Proxy
from tests.live import Live, on_this_database

STORE = "S3_ENDPOINT_URL"


class Service(Live):
    """Web, dispatcher and a worker with two processes. Browsers access the store directly."""

    def __init__(self, folder: Path) -> None:
        public = os.environ[STORE]
        self.store = Proxy(urlsplit(public).port or 0)
        ours = {STORE: f"http://127.0.0.1:{self.store.port}", "S3_PUBLIC_ENDPOINT_URL": public}
        near = {"REMOTE_ALLOWED_PRIVATE_HOSTS": "127.0.0.1"}  # the test's own servers for links
        unchecked = {"CLAMD": "off"}  # browser tests do not need a scanner
        super().__init__(folder, on_this_database() | ours | near | unchecked)

    def begin(self) -> None:
        self.start("dispatcher")
        self.worker = self.start("worker")
        self.web = self.start("web")

    def stop(self) -> None:
        self.store.pass_on()
        super().stop()
        self.store.close()
