"""Helpers to upload files and inspect the results."""

from __future__ import annotations

import io
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

from jobs import storage
from jobs.models import DownloadJob
from tests.links import attempt

CHUNK = 8 * 1024 * 1024


def picture(width: int = 1000, height: int = 600, kind: str = "JPEG", **options: Any) -> bytes:
    content = io.BytesIO()
    Image.effect_noise((width, height), 60).convert("RGB").save(content, kind, **options)
    return content.getvalue()


def send(client: APIClient, content: bytes, name: str = "notes.txt", **headers: str) -> Any:
    form = {"file": SimpleUploadedFile(name, content)}
    return client.post("/upload", form, format="multipart", headers=headers)


def sent(client: APIClient, content: bytes, name: str = "notes.txt") -> DownloadJob:
    response = send(client, content, name)
    assert response.status_code == 202, response.content
    return DownloadJob.objects.get(pk=response.json()["jobId"])


def processed(client: APIClient, content: bytes, name: str = "notes.txt") -> DownloadJob:
    """Upload the content and run one attempt."""
    return attempt(sent(client, content, name))


def begin(client: APIClient, size: int, name: str = "drone.bin", **asked: Any) -> dict[str, Any]:
    response = client.post("/upload/chunked", {"fileName": name, "totalSize": size, **asked})
    assert response.status_code == 200, response.content
    return dict(response.json())


def send_chunk(
    client: APIClient,
    begun: dict[str, Any],
    number: int,
    content: bytes,
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> Any:
    """Send the chunk with this number of the whole content."""
    size = begun["chunkSize"]
    form = {
        "jobId": begun["jobId"],
        "chunkIndex": number,
        "totalChunks": begun["totalChunks"],
        "chunk": SimpleUploadedFile("blob", content[number * size : (number + 1) * size]),
    }
    return client.post("/upload/chunked", form | fields, format="multipart", headers=headers)


def in_the_bucket(prefix: str = "") -> list[str]:
    """Return the keys of objects and open multipart uploads."""
    bucket = storage.bucket()
    found = bucket.client.list_objects_v2(Bucket=bucket.bucket_name, Prefix=prefix)
    keys = [item["Key"] for item in found.get("Contents", [])]
    return keys + [upload["Key"] for upload in storage.list_open_uploads(prefix)]
