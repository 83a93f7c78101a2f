"""The form of uploads, and the page of an upload."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs.errors import FORMER_JOB_CODES, JOB_CODES
from jobs.models import DownloadJob, StoredFile
from jobs.states import Status
from jobs.web import wording
from jobs.web.wording.history import WENT_WRONG
from jobs.web.wording.next_steps import ASK_OPERATOR
from tests.factories import JobFactory, RemoteJobFactory, UploadJobFactory, make_of
from tests.pages.looks import names, of, text
from tests.pages.test_one_download import commands

BOTH = ("job-state", "job-row")
ROLES = ["thumbnail", "medium", "large"]
SHOWN = {"thumbnail", "preview", "poster"}
OF_A_FILE = {
    "infected", "not_scanned", "type_not_allowed", "checksum_mismatch", "source_missing",
    "source_changed",
}  # fmt: skip
OF_ANY = {"scanner_unavailable", "storage_full", "timeout", *FORMER_JOB_CODES}


@pytest.fixture
def picture(alice: User) -> DownloadJob:
    job: DownloadJob = UploadJobFactory(owner=alice, status=Status.COMPLETED)
    return job


def plain(response: Any) -> str:
    return text(response).replace("\u00a0", " ")


def shown(html: str) -> list[str]:
    return re.findall(r'<img [^>]*src="([^"]*)"', html)


def address(job: DownloadJob, role: str) -> str:
    return f"/downloads/{job.pk}/files/{role}"


def queries_about_files(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(path).status_code == 200
    return sum('FROM "jobs_storedfile"' in query["sql"] for query in seen.captured_queries)


# The form


def test_the_four_forms_link_to_each_other(visitor: Client) -> None:
    for path in ("/", "/link", "/upload", "/reports"):
        html = text(visitor.get(path))
        doors = re.findall(r'<a href="([^"]*)"[^>]*><svg class="icon"', html.split("doors")[1])
        assert doors[:4] == ["/", "/link", "/upload", "/reports"]
        assert f'<a href="{path}" aria-current="page"><svg' in html


def test_without_a_script_it_is_a_form_with_the_csrf_token_first(visitor: Client) -> None:
    form = text(visitor.get("/upload")).split('<form class="drop"')[1].split("</form>")[0]

    fields = re.findall(r'name="(\w+)"', form)
    assert fields == ["csrfmiddlewaretoken", "file", "runAt"]
    assert 'enctype="multipart/form-data"' in form
    assert "multiple" not in form
    assert "Upload</button>" in form


def test_the_page_shows_the_limits_of_the_settings(visitor: Client, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES, settings.MAX_CHUNKED_UPLOAD_BYTES = 25_000_000, 8_000_000_000

    html = plain(visitor.get("/upload"))

    assert "Any kind of file" in html
    assert "up to 25 MB." in html
    assert "up to 8 GB." in html
    assert 'data-most="25000000"' in html


def test_accepted_types_are_named(visitor: Client, settings: Any) -> None:
    settings.UPLOAD_TYPES = ["image/*", "application/pdf", "font/woff2"]

    assert "Pictures, PDF, font/woff2, " in text(visitor.get("/upload"))


# Previews and facts


def test_the_row_shows_the_thumbnail(visitor: Client, picture: DownloadJob) -> None:
    for path in (of(picture, "job-row"), "/downloads"):
        html = text(visitor.get(path))

        assert shown(html) == [address(picture, "thumbnail")]
        assert re.search(r'<img [^>]*alt="Preview of facade-east.jpg"', html)
        assert re.search(r'<img [^>]*width="64" height="64" loading="lazy"', html)


def test_the_page_lists_the_previews(visitor: Client, picture: DownloadJob) -> None:
    for name in ("job-page", "job-state"):
        html = plain(visitor.get(of(picture, name)))

        assert shown(html) == [address(picture, "large")]
        assert 'width="1920" height="1440"' in html
        for file in picture.files.filter(role__in=ROLES):
            assert f'href="{address(picture, file.role)}"' in html
            assert f'<a href="/?file={file.file_id}">{file.file_id}</a>' in html
        assert "24 kB" in html
        assert "<dt>Pixels</dt><dd>4,032 by 3,024</dd>" in html


@pytest.mark.parametrize(
    ("made", "metadata", "facts"),
    [
        (["text", "preview"], {"pages": 40}, ["<dt>Pages</dt><dd>40</dd>", "First page"]),
        (["poster", "clip"], {"durationSeconds": 83.2}, ["<dt>Duration</dt><dd>1 min</dd>"]),
        (["text", "preview"], {"pages": 3000, "textPages": 2000}, ["the first 2,000 pages."]),
        (["poster"], {"skipped": "There is nothing to be heard."}, ["nothing to be heard."]),
    ],
)
def test_each_type_has_its_facts(
    visitor: Client, alice: User, made: list[str], metadata: dict[str, Any], facts: list[str]
) -> None:
    job = UploadJobFactory(owner=alice, status=Status.COMPLETED, metadata=metadata, made=made)

    html = plain(visitor.get(of(job)))

    assert shown(html) == [address(job, role) for role in made if role in SHOWN]
    assert not [fact for fact in facts if fact not in html]


def test_a_file_without_previews_says_why_and_can_be_downloaded(
    visitor: Client, alice: User
) -> None:
    reason = "The PDF is protected by a password."
    metadata = {"skipped": reason, "skippedCode": "file_encrypted"}
    job = UploadJobFactory(owner=alice, status=Status.COMPLETED, metadata=metadata, made=[])

    html = plain(visitor.get(of(job)))

    assert '<h2 id="previews">Previews</h2>' in html
    assert "There are no previews of this file." in html
    assert reason in html
    assert "data-download=" in html
    assert "file_encrypted" not in html


def test_the_uploaded_file_itself_is_never_displayed(visitor: Client, alice: User) -> None:
    job = UploadJobFactory(owner=alice, status=Status.COMPLETED, name="evil.svg", metadata={})
    job.files.all().delete()
    StoredFile.objects.filter(pk=job.artifact.pk).update(
        made_by=job, content_type="image/svg+xml", name="evil.svg"
    )

    for path in (of(job), of(job, "job-row"), "/downloads"):
        assert not shown(text(visitor.get(path))), path
    for role in ("artifact", "upload", "quarantined", "catalogue", "nonsense"):
        assert visitor.get(address(job, role)).status_code == 404, role


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.COMPLETED}))
def test_an_unfinished_upload_has_no_previews(visitor: Client, alice: User, status: Status) -> None:
    job = UploadJobFactory(owner=alice, status=status)
    make_of(job, "thumbnail")

    for path in (of(job), of(job, "job-row")):
        assert not shown(text(visitor.get(path)))
    assert visitor.get(address(job, "thumbnail")).status_code == 404


def test_a_preview_has_a_permanent_address(
    visitor: Client, picture: DownloadJob, settings: Any
) -> None:
    for method in (visitor.get, visitor.head):
        response = method(address(picture, "thumbnail"))

        assert response.status_code == 302
        assert response["Location"].startswith(settings.S3_PUBLIC_ENDPOINT_URL)
        assert response["Referrer-Policy"] == "no-referrer"
        assert "attachment" in response["Location"]
    assert visitor.post(address(picture, "thumbnail")).status_code == 405


def test_a_foreign_preview_is_refused(visitor: Client, bob: User) -> None:
    job = UploadJobFactory(owner=bob, status=Status.COMPLETED)

    assert visitor.get(address(job, "thumbnail")).status_code == 403


def test_a_poll_queries_files_once_if_there_are_any(
    visitor: Client, alice: User, picture: DownloadJob
) -> None:
    done = {"owner": alice, "status": Status.COMPLETED}
    others = [JobFactory(**done), RemoteJobFactory(**done), UploadJobFactory(owner=alice)]

    assert queries_about_files(visitor, of(picture, "job-row")) == 1
    for job in others:
        assert [queries_about_files(visitor, of(job, name)) for name in BOTH] == [0, 0]


def test_a_list_queries_all_thumbnails_at_once(visitor: Client, alice: User) -> None:
    for _ in range(5):
        UploadJobFactory(owner=alice, status=Status.COMPLETED)

    assert queries_about_files(visitor, "/downloads") == 1
    assert len(shown(text(visitor.get("/downloads")))) == 5


def test_uploads_can_be_searched(visitor: Client, alice: User) -> None:
    JobFactory(owner=alice, status=Status.COMPLETED)
    UploadJobFactory(owner=alice, status=Status.COMPLETED)

    response = visitor.get("/downloads", {"kind": "upload"})

    assert names(response) == ["facade-east.jpg"]
    assert '<option value="upload" selected>Upload</option>' in text(response)


def test_a_row_on_the_upload_page_keeps_the_title(visitor: Client, picture: DownloadJob) -> None:
    def titled(path: str) -> bool:
        seen = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{path}"}
        return "<title>" in text(visitor.get(of(picture, "job-row"), headers=seen))

    assert titled("/downloads?status=active")
    assert not titled("/upload")


# Failures


@pytest.mark.parametrize("code", sorted(OF_A_FILE | OF_ANY))
def test_each_failure_gives_advice(visitor: Client, alice: User, code: str) -> None:
    job = UploadJobFactory(owner=alice)
    job.claim(task_id="task-1", worker="worker@test")
    job.fail(code, "The reason.")

    html = unescape(re.sub("<svg.*?</svg>", "", text(visitor.get(of(job)))))

    step = wording.next_step(job.kind, code)
    assert step != ASK_OPERATOR
    assert f'<p class="reason">{step}</p>' in html
    assert code in JOB_CODES
    assert code in WENT_WRONG
    first = re.search(r'class="button primary"[^>]*>([^<]*)', html)
    assert first
    if code == "infected":
        assert first[1] == "Upload another file"
    else:
        assert first[1] == ("Upload again" if code in OF_A_FILE else "Retry")
    assert (code == "infected") == ("Retry" not in html)


def test_an_empty_file_has_a_size(visitor: Client, alice: User) -> None:
    job = UploadJobFactory(owner=alice, status=Status.COMPLETED, metadata={}, made=[], total=0)

    assert "<dt>Size</dt><dd>0 B</dd>" in plain(visitor.get(of(job)))


def test_an_expired_upload_asks_for_a_new_one(visitor: Client, alice: User) -> None:
    job = UploadJobFactory(owner=alice, status=Status.EXPIRED)
    zipped = JobFactory(owner=alice, status=Status.EXPIRED)

    html, other = text(visitor.get(of(job))), text(visitor.get(of(zipped)))

    assert "You can upload it again." in html
    assert '<a class="button primary" href="/upload">Upload again</a>' in html
    assert "Recreate" not in html
    assert "Recreate" in other
    assert "Recreate" not in text(visitor.get(of(job, "job-row")))


def test_no_command_uploads_a_file_that_may_be_anywhere(visitor: Client, alice: User) -> None:
    job = UploadJobFactory(owner=alice, status=Status.COMPLETED)

    assert [command[1] for command in commands(visitor.get(of(job)))] == ["-fLOJ"]


@pytest.mark.parametrize(("clamd", "is_scanned"), [("off", False), ("tcp://127.0.0.1:1", True)])
def test_the_page_says_if_there_is_no_scanner(
    visitor: Client, settings: Any, clamd: str, is_scanned: bool
) -> None:
    settings.CLAMD = clamd

    html = text(visitor.get("/upload"))

    assert ("Not scanned for viruses." in html) != is_scanned
    assert ("Checked, with previews" in html) == is_scanned


def test_the_facts_say_if_it_was_not_scanned(visitor: Client, alice: User) -> None:
    job = UploadJobFactory(owner=alice, status=Status.COMPLETED)
    assert "Virus scan" not in text(visitor.get(of(job)))  # from before this was noted

    for scanned, words in ((True, "No virus found"), (False, "Not scanned")):
        DownloadJob.objects.filter(pk=job.pk).update(metadata={"scanned": scanned})
        assert f"<dt>Virus scan</dt><dd>{words}</dd>" in plain(visitor.get(of(job)))
