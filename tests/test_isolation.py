"""Do tests that run at the same time keep out of each other's way?"""

from __future__ import annotations

import os

from django.conf import settings


def test_this_process_has_a_bucket_and_a_queue_of_its_own() -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")

    assert settings.STORAGES["default"]["OPTIONS"]["bucket_name"] == f"downloads-{worker}"
    assert f"download-jobs-{worker}" == settings.QUEUE
    assert os.environ["S3_BUCKET"] == f"downloads-{worker}", "the processes we start get the same"
