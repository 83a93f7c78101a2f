"""The page of a stored file, and what pages play or show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import DownloadJob
from jobs.states import Status
from tests.factories import (
    ArtifactFactory,
    JobFactory,
    RemoteJobFactory,
    StoredFileFactory,
    UploadJobFactory,
    store,
)
from tests.pages.looks import BROWSER, of, text

PAGE, CONTENT = "/files/80000", "/files/80000/content"


def test_the_page_has_the_file_and_its_facts(visitor: Client, alice: User) -> None:
    StoredFileFactory(
        file_id=80_000, name="plan.pdf", content_type="application/pdf", size_bytes=2_400_000
    )

    shown = text(visitor.get(PAGE))

    assert "<h1>plan.pdf</h1>" in shown
    assert "application/pdf" in shown
    assert f'href="{CONTENT}"' in shown
    assert 'href="/?file=80000"' in shown
    assert 'class="media"' not in shown


def test_the_folder_is_a_fact(visitor: Client) -> None:
    StoredFileFactory(file_id=80_000, name="2026/05/plan.pdf")

    shown = text(visitor.get(PAGE))

    assert "<h1>plan.pdf</h1>" in shown
    assert "<dt>Folder</dt><dd>2026/05</dd>" in shown


def test_the_list_links_to_the_page(visitor: Client) -> None:
    StoredFileFactory(file_id=80_000)

    assert f'href="{PAGE}"' in text(visitor.get("/"))


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        ("video/mp4", '<video class="media" controls'),
        ("audio/mpeg", '<audio class="media" controls'),
        ("image/png", '<img class="media"'),
    ],
)
def test_the_page_shows_what_browsers_can(visitor: Client, content_type: str, shown: str) -> None:
    StoredFileFactory(file_id=80_000, content_type=content_type)

    html = text(visitor.get(PAGE))

    assert shown in html
    assert f'src="{CONTENT}"' in html


@pytest.mark.parametrize("content_type", ["image/svg+xml", "image/tiff", "text/html", "video/x-dv"])
def test_the_page_shows_no_other_files(visitor: Client, content_type: str) -> None:
    StoredFileFactory(file_id=80_000, content_type=content_type)

    assert 'class="media"' not in text(visitor.get(PAGE))


def test_a_huge_picture_is_not_loaded(visitor: Client) -> None:
    StoredFileFactory(file_id=80_000, content_type="image/png", size_bytes=30_000_000)

    assert 'class="media"' not in text(visitor.get(PAGE))


@pytest.mark.parametrize("path", [PAGE, CONTENT])
def test_only_a_visible_file_is_found(visitor: Client, bob: User, path: str) -> None:
    file = StoredFileFactory(file_id=80_000, owner=bob, name="secret.txt")
    foreign = visitor.get(path)
    file.delete()
    ended = timezone.now() - timedelta(seconds=1)
    StoredFileFactory(file_id=80_000, expires_at=ended)

    assert foreign.status_code == 404
    assert "secret" not in text(foreign)
    assert visitor.get(path).status_code == 404
    assert visitor.get(path.replace("80000", "9" * 30)).status_code == 404


@pytest.mark.parametrize("path", [PAGE, CONTENT])
def test_strangers_sign_in_first(db: None, path: str) -> None:
    StoredFileFactory(file_id=80_000)

    response = Client(headers=BROWSER).get(path)

    assert (response.status_code, response["Location"]) == (302, f"/sign-in?next={path}")


@pytest.mark.parametrize("method", ["get", "head"])
def test_the_content_is_a_download_from_the_store(
    visitor: Client, bucket: Any, method: str
) -> None:
    store(80_000, "plan.pdf", b"hello")

    response = getattr(visitor, method)(CONTENT)

    assert response.status_code == 302
    assert response["Location"].startswith(settings.S3_PUBLIC_ENDPOINT_URL)
    assert 'attachment; filename="plan.pdf"' in unquote(response["Location"])


def test_a_file_that_left_the_store_is_410(visitor: Client, bucket: Any) -> None:
    StoredFileFactory(file_id=80_000)

    assert visitor.get(CONTENT).status_code == 410


def ready(make: Any, owner: User, content_type: str, **fields: Any) -> DownloadJob:
    artifact = ArtifactFactory(owner=owner, content_type=content_type)
    job: DownloadJob = make(owner=owner, status=Status.COMPLETED, artifact=artifact, **fields)
    return job


def test_the_page_of_a_job_plays_its_video(visitor: Client, alice: User) -> None:
    job = ready(RemoteJobFactory, alice, "video/mp4")

    html = text(visitor.get(of(job)))

    assert f'src="{of(job, "download")}"' in html
    assert 'preload="metadata"' in html


def test_the_video_of_an_upload_has_its_poster_once(visitor: Client, alice: User) -> None:
    job = ready(UploadJobFactory, alice, "video/mp4", made=["poster"])

    html = text(visitor.get(of(job)))

    assert f'poster="{of(job)}/files/poster"' in html
    assert "<img" not in html


def test_a_picture_is_shown_whole_as_its_largest_preview(visitor: Client, alice: User) -> None:
    job = ready(UploadJobFactory, alice, "image/jpeg")

    html = text(visitor.get(of(job)))

    assert html.count("<img") == 1
    assert f'src="{of(job)}/files/large"' in html
    assert 'width="1920" height="1440"' in html


def test_a_running_job_plays_nothing(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.PROCESSING)

    assert 'class="media"' not in text(visitor.get(of(job)))


def test_media_may_come_from_the_store(visitor: Client) -> None:
    policy = visitor.get("/")["Content-Security-Policy"].split("; ")

    assert f"media-src 'self' {settings.S3_PUBLIC_ENDPOINT_URL}" in policy
