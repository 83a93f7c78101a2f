"""`manage.py download`, in real processes, against the real service, its store, and fake ones."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile
from zlib import crc32

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.utils import timezone

from downloads_client.failures import EXIT_CODES
from jobs import storage
from jobs.models import DownloadJob, StoredFile
from jobs.states import Actor, Status
from tests.client.fake import (
    JOB_ID,
    RESULT,
    STATUS,
    Fake,
    json_response,
    problem,
    response,
    result,
    serving,
)
from tests.client.terminal import COMMAND, Terminal, environment, run, start
from tests.factories import ArtifactFactory, JobFactory
from tests.faults.proxy import Proxy
from tests.hostile.modes import MODES
from tests.hostile.server import Peer
from tests.live import ROOT, Live, on_this_database

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse"
GO_ON = shlex.join(map(str, COMMAND))
CONTENT = os.urandom(3_000_000)
ONE_OBJECT = {
    "exitCode", "jobId", "status", "path", "size", "sha256", "error", "errorCode", "goOn",
}  # fmt: skip


class Site:
    """A web process, with proxies in front of it and of its file store."""

    def __init__(self, folder: Path, stack_env: dict[str, str]) -> None:
        self.store_line = Proxy(int(stack_env["S3_ENDPOINT_URL"].rpartition(":")[2]))
        public = f"http://127.0.0.1:{self.store_line.port}"
        near = {"REMOTE_ALLOWED_PRIVATE_HOSTS": "localhost"}  # the test's own servers for links
        ours = {"S3_PUBLIC_ENDPOINT_URL": public}
        self.live = Live(folder, on_this_database() | ours | near)
        self.web = self.live.start("web")
        self.line = Proxy(int(self.live.url.rpartition(":")[2]))
        self.url = f"http://127.0.0.1:{self.line.port}"

    def login(self, folder: Path) -> dict[str, str]:
        """Return an environment that finds the service, as `make run` provides it."""
        run_json = {"url": self.url, "user": "alice", "password": PASSWORD}
        (folder / "run.json").write_text(json.dumps(run_json))
        return {"STACK_FOLDER": str(folder)}

    def close(self) -> None:
        self.live.stop()
        self.line.close()
        self.store_line.close()


@pytest.fixture(scope="module")
def the_site(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, made_bucket: None
) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"), dict(os.environ))
    yield site
    site.close()


@pytest.fixture
def site(the_site: Site) -> Site:
    for line in (the_site.line, the_site.store_line):
        line.pass_on()
    return the_site


@pytest.fixture
def alice(db: None, settings: Any) -> User:
    """Return Alice with a password that the web process can check."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    return User.objects.create_user("alice", password=PASSWORD)


@pytest.fixture
def env(site: Site, alice: User, tmp_path: Path) -> dict[str, str]:
    return environment(**site.login(tmp_path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    made.mkdir()
    return made


@pytest.fixture
def ready(alice: User, bucket: Any) -> DownloadJob:
    """Return a completed job with 3 MB in the store."""
    artifact = ArtifactFactory(
        owner=alice,
        size_bytes=len(CONTENT),
        sha256=sha256(CONTENT).hexdigest(),
        crc32=crc32(CONTENT),
    )
    storage.bucket().save(artifact.key, ContentFile(CONTENT))
    made: DownloadJob = JobFactory(owner=alice, status=Status.COMPLETED, artifact=artifact)
    StoredFile.objects.filter(pk=artifact.pk).update(made_by=made)
    return made


@pytest.fixture
def running(alice: User) -> DownloadJob:
    """Return a job that is running until the test changes it."""
    found: DownloadJob = JobFactory(owner=alice)
    found.claim(task_id="task-1", worker="worker@test")
    return found


def parts(folder: Path) -> list[Path]:
    return list(folder.glob("*.part"))


# From request to file


def test_files_are_bundled_and_fetched(
    site: Site, env: dict[str, str], folder: Path, stored_files: list[StoredFile]
) -> None:
    site.live.start("worker")
    site.live.start("dispatcher")

    done = run("70000", "70001", "70002", "70000", "--name=Own", cwd=folder, env=env)

    assert done.returncode == 0, done.stderr
    assert done.stdout == "Own.zip\n"
    with ZipFile(folder / "Own.zip") as archive:
        assert archive.namelist() == [file.name for file in stored_files]
    assert DownloadJob.objects.count() == 1
    assert parts(folder) == []


def test_a_link_is_fetched_or_fails_with_the_reason(
    site: Site, env: dict[str, str], folder: Path
) -> None:
    site.live.start("worker")
    torn, page = MODES["drops-after-100-kB"], MODES["error-page"]

    with Peer() as peer:
        for path, file in [("/torn.bin", torn), ("/page.zip", page)]:
            peer.serve(path, file)
        there = f"http://localhost:{peer.port}"
        done = run(f"{there}/torn.bin?key=secret", "--threads=8", "--json", cwd=folder, env=env)
        failed = run(f"{there}/page.zip?key=secret", "--json", cwd=folder, env=env)

    assert (done.returncode, failed.returncode) == (0, 1), done.stderr + failed.stderr
    assert json.loads(done.stdout)["sha256"] == torn.sha256()
    assert sha256((folder / "torn.bin").read_bytes()).hexdigest() == torn.sha256()
    assert json.loads(failed.stdout)["errorCode"] == "remote_not_a_file"
    assert "localhost returned a web page instead of the file." in failed.stderr
    assert "enqueued" not in done.stderr, "the first answer says what the client said before"
    assert "secret" not in done.stdout + done.stderr + failed.stdout + failed.stderr
    assert "secret" not in site.live.logs()
    assert [path.name for path in folder.iterdir()] == ["torn.bin"]


def test_a_report_is_requested_and_fetched(
    site: Site, env: dict[str, str], folder: Path, ready: DownloadJob
) -> None:
    site.live.start("worker")

    done = run("report", "--period=7d", "--format=csv", "--json", cwd=folder, env=env)

    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert set(output) == ONE_OBJECT
    assert str(ready.pk) in (folder / output["path"]).read_text()
    assert Path(output["path"]).suffix == ".csv"
    params = DownloadJob.objects.get(pk=output["jobId"]).params
    assert params == {"period": "7d", "format": "csv", "everybody": False}
    assert "Requested a report: download" in done.stderr
    making = [line for line in done.stderr.splitlines() if line.startswith("Making")]
    assert not re.search(r"\d [kMG]?B", " ".join(making)), making


def test_files_of_downloads_and_stored_files_are_bundled_in_order(
    site: Site,
    env: dict[str, str],
    folder: Path,
    ready: DownloadJob,
    stored_files: list[StoredFile],
) -> None:
    site.live.start("worker")

    done = run(str(ready.pk), "70000", "--bundle", "--name=Both", cwd=folder, env=env)

    assert (done.returncode, done.stdout) == (0, "Both.zip\n"), done.stderr
    assert "Requested 1 file and the results of 1 download: download" in done.stderr
    with ZipFile(folder / "Both.zip") as archive:
        assert archive.namelist() == [stored_files[0].name, ready.artifact.name]
        assert archive.read(ready.artifact.name) == CONTENT


def test_a_new_download_has_the_given_options(
    site: Site, env: dict[str, str], folder: Path, ready: DownloadJob, alice: User
) -> None:
    alice.email = "alice@example.org"
    alice.save()
    site.live.start("worker")
    terms = ["--priority=3", f"--after={ready.pk}", "--run-at=2026-01-01T00:00:00Z", "--email"]

    done = run("report", *terms, "--webhook=https://hooks.example/x", cwd=folder, env=env)

    assert done.returncode == 0, done.stderr
    job = DownloadJob.objects.exclude(pk=ready.pk).get()
    assert (job.priority, job.email, job.webhook) == (3, True, "https://hooks.example/x")
    assert list(job.after.all()) == [ready]


def test_an_id_fetches_an_existing_download(
    ready: DownloadJob, env: dict[str, str], folder: Path
) -> None:
    done = run(str(ready.pk), "--output", "new/here/", cwd=folder, env=env)

    assert (done.returncode, done.stdout) == (0, "new/here/2 files.zip\n")
    assert (folder / "new/here/2 files.zip").read_bytes() == CONTENT


def test_json_prints_one_object_and_quiet_prints_nothing(
    ready: DownloadJob, env: dict[str, str], folder: Path
) -> None:
    done = run(str(ready.pk), "--json", "--quiet", cwd=folder, env=env)

    output = json.loads(done.stdout)
    assert set(output) == ONE_OBJECT
    assert output["path"] == "2 files.zip"
    assert output["sha256"] == sha256(CONTENT).hexdigest()
    assert (output["exitCode"], output["status"], output["error"]) == (0, "completed", None)
    assert done.stderr == ""


def test_stdout_gets_the_verified_file(
    ready: DownloadJob, env: dict[str, str], folder: Path
) -> None:
    done = run(str(ready.pk), "--output=-", cwd=folder, env=env, text=False)

    assert done.stdout == CONTENT
    assert list(folder.iterdir()) == []


def test_an_existing_file_is_not_fetched_again(
    site: Site, ready: DownloadJob, env: dict[str, str], folder: Path
) -> None:
    (folder / "2 files.zip").write_bytes(CONTENT)
    before = site.store_line.connections

    done = run(str(ready.pk), cwd=folder, env=env)

    assert (done.returncode, done.stdout) == (0, "2 files.zip\n")
    assert site.store_line.connections == before


def test_another_file_is_overwritten_only_with_force(
    ready: DownloadJob, env: dict[str, str], folder: Path
) -> None:
    existing = folder / "own.zip"
    existing.write_text("own")

    refused = run(str(ready.pk), "--output=own.zip", cwd=folder, env=env)
    at_once = run("70000", "--output=own.zip", cwd=folder, env=env)
    kept = existing.read_text()
    forced = run(str(ready.pk), "--output=own.zip", "--force", cwd=folder, env=env)

    for done in (refused, at_once):
        assert done.returncode == 7
        assert "own.zip exists. Use --force" in done.stderr
    assert kept == "own"
    assert DownloadJob.objects.count() == 1
    assert forced.returncode == 0
    assert existing.read_bytes() == CONTENT


# Connections that break


def test_a_dropped_connection_is_resumed_where_it_broke(
    site: Site, ready: DownloadJob, env: dict[str, str], folder: Path
) -> None:
    before = site.store_line.bytes_to_client
    site.store_line.throttle(2_000_000)  # a reset drops what the client has not read yet
    site.store_line.cut_after(1_000_000, "client", times=2)

    done = run(str(ready.pk), cwd=folder, env=env)

    assert done.returncode == 0, done.stderr
    assert (folder / "2 files.zip").read_bytes() == CONTENT
    assert site.store_line.bytes_to_client - before < len(CONTENT) + 300_000
    assert parts(folder) == []


def test_the_next_run_resumes_a_partial_file(
    site: Site, ready: DownloadJob, env: dict[str, str], folder: Path
) -> None:
    site.store_line.throttle(2_000_000)
    site.store_line.cut_after(1_000_000, "client", times=1_000)
    broken = run(str(ready.pk), "--retry-for=0", cwd=folder, env=env)
    site.store_line.pass_on()
    begun = parts(folder)[0].stat().st_size
    before = site.store_line.bytes_to_client

    done = run(str(ready.pk), cwd=folder, env=env)

    assert broken.returncode == 4
    assert f"To resume: {GO_ON} {ready.pk}\n" in broken.stderr
    assert 800_000 < begun <= 1_000_000
    assert done.returncode == 0
    assert " of 3.0 MB\n" in done.stderr
    assert (folder / "2 files.zip").read_bytes() == CONTENT
    assert site.store_line.bytes_to_client - before < len(CONTENT) - begun + 10_000


def test_an_object_with_other_bytes_is_deleted(
    ready: DownloadJob, env: dict[str, str], folder: Path
) -> None:
    key = ready.artifact.key
    storage.bucket().delete(key)
    storage.bucket().save(key, ContentFile(CONTENT[:-1] + b"!"))

    done = run(str(ready.pk), "--json", cwd=folder, env=env)

    output = json.loads(done.stdout)
    assert (done.returncode, output["exitCode"], output["errorCode"]) == (5, 5, "wrong_bytes")
    assert list(folder.iterdir()) == []


def test_a_service_that_restarts_is_waited_for(
    site: Site, running: DownloadJob, env: dict[str, str], folder: Path
) -> None:
    with start(str(running.pk), cwd=folder, env=env) as client:
        assert client.stderr
        assert "Making" in client.stderr.readline()

        site.web.end(1)
        assert "Retrying..." in client.stderr.readline()
        site.web.start()
        running.cancel(Actor.OWNER)

        assert client.stderr.readline() == "The download is cancelled.\n"
    assert client.returncode == 6


# Ctrl-C


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize(
    ("answer", "status"),
    [("y\r", "cancelled"), ("n\r", "processing"), ("\r", "processing"), ("\x03", "processing")],
    ids=["yes", "no", "neither", "Ctrl-C again"],
)
def test_ctrl_c_in_a_terminal_offers_to_cancel_the_job(
    site: Site,
    running: DownloadJob,
    tmp_path: Path,
    terminals: list[Terminal],
    answer: str,
    status: str,
) -> None:
    DownloadJob.objects.filter(pk=running.pk).update(message="a long name " * 10)
    terminal = Terminal(str(running.pk), cwd=tmp_path, **site.login(tmp_path))
    terminals.append(terminal)
    terminal.wait_for("a long name")

    terminal.ctrl_c()
    terminal.wait_for(r"Cancel it?\? \[y/N\]")
    terminal.type(answer)

    assert terminal.end() == 130
    running.refresh_from_db()
    assert running.status == status
    go_on = f"To resume: {GO_ON} {running.pk}"
    last = terminal.raw.splitlines()[-1]
    assert last == ("Interrupted." if status == "cancelled" else go_on)
    assert "Making" not in terminal.screen  # the bar is gone, wherever `^C` was echoed
    assert not terminal.cursor_is_hidden
    assert "Traceback" not in terminal.raw


def test_a_job_scheduled_for_tomorrow_is_waited_for_until_it_is_cancelled(
    site: Site,
    running: DownloadJob,
    tmp_path: Path,
    terminals: list[Terminal],
) -> None:
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat(timespec="seconds")
    at = f"--run-at={tomorrow}"
    terminal = Terminal("report", at, f"--after={running.pk}", cwd=tmp_path, **site.login(tmp_path))
    terminals.append(terminal)
    terminal.wait_for(r"Depends on 1 download; not before \d\d:\d\d on \d+ [A-Z][a-z]+ \(UTC\)")

    terminal.ctrl_c()
    terminal.wait_for(r"Cancel it?\?")
    terminal.type("y\r")

    assert terminal.end() == 130
    assert DownloadJob.objects.get(kind="report").status == Status.CANCELLED


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_a_signal_stops_a_script_and_leaves_the_job_running(
    running: DownloadJob, env: dict[str, str], folder: Path, number: int, code: int
) -> None:
    with start(str(running.pk), "--json", "--output=x y.zip", cwd=folder, env=env) as client:
        assert client.stderr
        client.stderr.readline()

        client.send_signal(number)
        out, err = client.communicate(timeout=30)

    output = json.loads(out)
    assert (client.returncode, output["exitCode"]) == (code, code)
    assert output["goOn"] == f"{GO_ON} {running.pk} '--output=x y.zip'"
    assert err.splitlines()[-1] == f"To resume: {output['goOn']}"
    running.refresh_from_db()
    assert running.status == Status.PROCESSING


def test_ctrl_c_during_the_fetch_keeps_the_partial_file(
    site: Site, ready: DownloadJob, tmp_path: Path, folder: Path, terminals: list[Terminal]
) -> None:
    site.store_line.throttle(500_000)
    terminal = Terminal(str(ready.pk), cwd=folder, **site.login(tmp_path))
    terminals.append(terminal)
    terminal.wait_for(r"Fetching .* [1-9]\d?% ")

    terminal.ctrl_c()

    assert terminal.end() == 130
    assert parts(folder)[0].stat().st_size > 0
    assert "Cancel it?" not in terminal.screen
    last = terminal.raw.splitlines()[-1]
    assert last == f"To resume: {GO_ON} {ready.pk}"


# Display


@pytest.mark.parametrize("columns", [80, 40, 20])
def test_the_bar_fits_the_terminal(
    site: Site, ready: DownloadJob, tmp_path: Path, terminals: list[Terminal], columns: int
) -> None:
    site.store_line.throttle(1_000_000)
    terminal = Terminal(str(ready.pk), columns=columns, cwd=tmp_path, **site.login(tmp_path))
    terminals.append(terminal)

    screen = terminal.wait_for(r"[1-9]\d%")

    assert screen.count("\n") == 0, screen
    assert re.match("Fetching [━╸]", screen)
    assert (" of 3.0 MB" in screen) == (columns == 80)
    assert (" left" in screen) == (columns >= 40)
    assert terminal.end() == 0
    assert "━" not in terminal.screen  # gone when it is done
    assert terminal.screen.endswith("2 files.zip")


@pytest.mark.parametrize("columns", [80, 40, 20])
def test_the_bar_of_an_unknown_size_fits_too(
    running: DownloadJob,
    site: Site,
    tmp_path: Path,
    terminals: list[Terminal],
    columns: int,
) -> None:
    DownloadJob.objects.filter(pk=running.pk).update(
        kind="remote", total=None, done=3_100_000, speed=1_200_000, threads=4, message="Fetching"
    )
    terminal = Terminal(str(running.pk), columns=columns, cwd=tmp_path, **site.login(tmp_path))
    terminals.append(terminal)

    screen = terminal.wait_for(r"3\.1 MB[\s\S]*Fetching")
    running.cancel(Actor.OWNER)

    assert screen.count("\n") == 1, screen
    assert re.match("Storing ━", screen)
    assert "%" not in screen
    assert ("1.2 MB/s 4 connections" in screen) == (columns == 80)
    assert terminal.end() == 6
    assert "━" not in terminal.screen


def test_no_color_turns_colours_off(
    site: Site, ready: DownloadJob, tmp_path: Path, terminals: list[Terminal]
) -> None:
    env = site.login(tmp_path)
    terminal = Terminal(str(ready.pk), cwd=tmp_path, **env, NO_COLOR="1")
    terminals.append(terminal)

    assert terminal.end() == 0
    assert not re.search(r"\x1b\[[0-9;]*[34][0-9]", terminal.raw)


def test_without_a_terminal_there_are_lines_and_no_control_characters(
    site: Site, ready: DownloadJob, env: dict[str, str], folder: Path
) -> None:
    ready.artifact.name = "\x1b[2J\x07evil\n\u202egnp.zip"
    ready.artifact.save()

    done = run(str(ready.pk), cwd=folder, env=env)

    assert done.returncode == 0
    assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())
    assert [path.name.isprintable() for path in folder.iterdir()] == [True]


# Exit codes


def test_a_job_that_failed_is_1(running: DownloadJob, env: dict[str, str], folder: Path) -> None:
    running.fail("source_missing", "File 70009 could not be found.")

    done = run(str(running.pk), "--json", cwd=folder, env=env)

    output = json.loads(done.stdout)
    assert (done.returncode, output["errorCode"]) == (1, "source_missing")
    assert output["error"] == "The download failed: File 70009 could not be found."
    assert output["goOn"] is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["x"], "There is no kind 'x'. There are: bundle, remote, upload, report."),
        (["70000", "--json", "--output=-"], "cannot be combined"),
        (["70000", "--retry-for=nan"], "--retry-for needs a number of seconds"),
        (["70000", "--patience=-1"], "--retry-for needs a number of seconds"),  # its former name
        (["70000", "--compare"], "unrecognized arguments"),
        (["70000", "--threads=4"], "need a new link"),
        (["https://data.example/a", "--threads=four"], "invalid int value"),
        (["https://data.example/a", "70000"], "one link"),
        (["report", "--from=2026-10-01"], "--from and --to together"),
        (["report", "--period=7d", "--from=2026-10-01", "--to=2026-10-31"], "either --period"),
        (["report", "--format=xls"], "--format must be pdf, csv or json"),
        (["70000", "--run-at=tomorrow"], "--run-at needs a time with a time zone"),
        ([JOB_ID, JOB_ID], "or --bundle for an archive of their results"),
        ([JOB_ID, "--no-email"], "need a new download"),
        (["70000", "--everybody"], "need a report"),
        (["70000", "--user=bob"], "There is no terminal to enter the password"),
        (
            ["70000", "--service=https://x.example"],
            "Use --service and --user (or DOWNLOADS_API_KEY)",
        ),
        (["70000", "--service=ftp://x", "--user=u", "--password-stdin"], "--service needs a URL"),
        (["70000", "--service=http://a:b@x", "--user=u", "--password-stdin"], "--service needs"),
        (["70000", "--password-stdin"], "No password on stdin"),
        (["70000", "--nonsense"], "unrecognized arguments"),
    ],
)
def test_a_wrong_command_line_is_2(
    env: dict[str, str], folder: Path, arguments: list[str], sentence: str
) -> None:
    done = run(*arguments, cwd=folder, env=env)

    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert not DownloadJob.objects.exists()


def test_a_refusal_is_3(
    site: Site, env: dict[str, str], folder: Path, alice: User, bob: User
) -> None:
    foreign = JobFactory(owner=bob)

    for arguments, sentence, stdin in [
        ([JOB_ID], "This download does not exist.", None),
        ([str(foreign.pk)], "This download belongs to another user.", None),
        (["7"], "The request is not valid. file_ids.0:", None),
        (["https://u:p@data.example/a"], "url: Remove the user name and password", None),
        (["report", "--everybody"], "everybody: Only staff may see", None),
        (["report", "--period=999d"], "period: Use a number of days such as 7d", None),
        (["70000", f"--after={foreign.pk}"], "after.0: You have no download with this ID.", None),
        ([str(foreign.pk), "--bundle"], "job_ids.0: You have no download with this ID.", None),
        (["70000", "--priority=10"], "priority: Ensure this value", None),
        (["http://127.0.0.1/a"], "127.0.0.1 is not on the public internet.", None),
        (["https://data.example/a", "--threads=17"], "threads: Ensure this value", None),
        (["https://data.example/a", "--sha256=x"], "sha256: Use 64 hexadecimal digits.", None),
        ([JOB_ID, "--password-stdin"], "Wrong username or password.", "wrong\n"),
    ]:
        done = run(*arguments, cwd=folder, env=env, stdin=stdin)
        assert done.returncode == 3, done.stderr
        assert sentence in done.stderr


def test_the_password_comes_from_stdin(
    site: Site, ready: DownloadJob, folder: Path, tmp_path: Path
) -> None:
    login = [f"--service={site.url}/", "--user=alice", "--password-stdin"]
    without_run_json = environment(STACK_FOLDER=str(tmp_path / "none"))

    done = run(str(ready.pk), *login, cwd=folder, env=without_run_json, stdin=f"{PASSWORD}\n")

    assert done.returncode == 0, done.stderr


def test_in_a_terminal_the_password_is_prompted_for_and_not_shown(
    site: Site, ready: DownloadJob, tmp_path: Path, terminals: list[Terminal]
) -> None:
    login = [f"--service={site.url}", "--user=alice"]
    terminal = Terminal(str(ready.pk), *login, cwd=tmp_path, STACK_FOLDER=str(tmp_path / "none"))
    terminals.append(terminal)

    terminal.wait_for("Password of alice:")
    terminal.type(f"{PASSWORD}\r")

    assert terminal.end() == 0
    assert PASSWORD not in terminal.raw


def test_the_secret_of_make_run_goes_to_no_other_service(
    impostor: Fake, env: dict[str, str], folder: Path
) -> None:
    login = [f"--service={impostor.url}", "--user=alice"]
    (Path(env["STACK_FOLDER"]) / "run.json").write_text(
        json.dumps({"url": "http://127.0.0.1:1", "user": "alice", "password": PASSWORD})
    )

    done = run(JOB_ID, *login, cwd=folder, env=env)

    assert done.returncode == 2
    assert impostor.requests == []


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.EXPIRED])
def test_a_cancelled_or_expired_job_is_6(
    alice: User, env: dict[str, str], folder: Path, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)

    done = run(str(job.pk), cwd=folder, env=env)

    assert (done.returncode, done.stderr) == (6, f"The download is {status}.\n")


def test_a_disk_that_is_full_is_7_and_one_sentence(
    ready: DownloadJob, env: dict[str, str], folder: Path
) -> None:
    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    done = run(str(ready.pk), cwd=folder, env=env, preexec_fn=small_disk)

    assert done.returncode == 7
    assert "could not be written: File too large." in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.suffix for path in folder.iterdir()] == [".part"]


def test_a_closed_pipe_on_stdout_is_7(
    ready: DownloadJob, env: dict[str, str], folder: Path
) -> None:
    with start(str(ready.pk), "--output=-", cwd=folder, env=env) as client:
        assert client.stdout
        assert client.stderr
        client.stdout.close()
        err = client.stderr.read()

    assert client.returncode == 7
    assert err.splitlines()[-2] == "stdout could not be written: Broken pipe."


@pytest.mark.parametrize(("closed", "code"), [("<&-", 0), ("2>&-", 0), (">&-", 7)])
def test_closed_standard_streams_are_no_error(
    ready: DownloadJob, env: dict[str, str], folder: Path, closed: str, code: int
) -> None:
    line = f"{shlex.join([*COMMAND, str(ready.pk)])} {closed}"

    done = subprocess.run(["sh", "-c", line], cwd=folder, env=env, capture_output=True, text=True)

    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "2 files.zip").read_bytes() == CONTENT


def test_a_name_that_is_too_long_is_7(alice: User, env: dict[str, str], folder: Path) -> None:
    done = run("70000", f"--output={'a' * 300}", cwd=folder, env=env)

    assert done.returncode == 7
    assert "could not be written: File name too long." in done.stderr
    assert not DownloadJob.objects.exists()


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[Fake]:
    """A fake service with a login."""
    with serving() as fake:
        run_json = {"url": fake.url, "user": "demo", "password": "secret"}
        (tmp_path / "run.json").write_text(json.dumps(run_json))
        yield fake


@pytest.mark.parametrize(
    "answer",
    [
        response(b"<html>Welcome to the hotel</html>"),
        response(b"<html>Bad gateway</html>", 502),
        response(b"", 302, Location=STATUS),
        response(b"{"),
        problem(503, "overloaded", "Try again soon.", Retry_After="5"),
        lambda handler: handler.hang_up(),
    ],
)
def test_another_server_in_place_of_the_service_is_4(
    impostor: Fake, tmp_path: Path, folder: Path, answer: Any
) -> None:
    impostor.on(STATUS, answer)

    env = environment(STACK_FOLDER=str(tmp_path))
    done = run(JOB_ID, "--retry-for=0", "--json", cwd=folder, env=env)

    assert (done.returncode, json.loads(done.stdout)["exitCode"]) == (4, 4), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


@pytest.mark.parametrize("shown", [["--json"], []])
@pytest.mark.parametrize("output", ["./", "Über/"])
def test_a_name_that_the_locale_cannot_encode_is_7(
    impostor: Fake, tmp_path: Path, folder: Path, shown: list[str], output: str
) -> None:
    impostor.offer(b"x", fileName="Übersicht 报告.zip")

    env = environment(STACK_FOLDER=str(tmp_path), **ASCII)
    done = run(JOB_ID, f"--output={output}", *shown, cwd=folder, env=env)

    assert done.returncode == 7, done.stderr
    assert "file names are ascii in this locale" in done.stderr
    assert "Traceback" not in done.stderr
    assert not shown or json.loads(done.stdout)["errorCode"] == "bad_name"


def test_an_ascii_locale_accepts_a_given_output_name(
    impostor: Fake, tmp_path: Path, folder: Path
) -> None:
    impostor.offer(b"x", fileName="Übersicht.zip")

    env = environment(STACK_FOLDER=str(tmp_path), **ASCII)
    done = run(JOB_ID, "--output=Ü.zip", "--json", cwd=folder, env=env)

    assert (done.returncode, len(json.loads(done.stdout))) == (0, 9), done.stderr
    assert (folder / "Ü.zip").read_bytes() == b"x"


def test_an_ascii_locale_sends_arguments_as_utf_8(
    impostor: Fake, tmp_path: Path, folder: Path
) -> None:
    impostor.on("/v1/download/initiate", problem(400, "invalid", "Ü: no."))

    env = environment(STACK_FOLDER=str(tmp_path), **ASCII)
    done = run("70000", "--name=Übersicht.zip", "--json", cwd=folder, env=env)

    assert (done.returncode, json.loads(done.stdout)["error"]) == (3, "Ü: no.")
    assert json.loads(impostor.to("/v1/download/initiate")[0].body)["name"] == "Übersicht.zip"


def test_an_argument_that_is_no_utf_8_is_2(impostor: Fake, tmp_path: Path, folder: Path) -> None:
    env = environment(STACK_FOLDER=str(tmp_path))

    done = run("70000", os.fsdecode(b"--name=\xff"), "--json", cwd=folder, env=env)

    assert (done.returncode, json.loads(done.stdout)["errorCode"]) == (2, "usage")
    assert "not valid UTF-8" in done.stderr


@pytest.mark.parametrize(
    ("variables", "arguments", "sentence"),
    [
        ({"REQUESTS_CA_BUNDLE": "/nowhere.pem"}, ["--service=https://127.0.0.1:1"], "certificates"),
        (
            {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "/nowhere.pem"},
            ["--service=https://127.0.0.1:1"],
            "certificates",
        ),
        ({"REQUESTS_CA_BUNDLE": __file__}, [], "certificates"),
        ({}, [], "TLS failed (wrong version number)"),
        ({"HTTPS_PROXY": "http://[::1"}, [], "proxy"),
        ({"HTTPS_PROXY": "what://127.0.0.1:1"}, [], "proxy"),
        ({"HTTPS_PROXY": "socks5://127.0.0.1:1"}, [], "proxy"),
        ({"HTTPS_PROXY": "http://127.0.0.1:99999"}, [], "proxy"),
        ({"HTTPS_PROXY": "http://127.0.0.1:1"}, [], "Connection refused"),
        ({"HTTPS_PROXY": "http://"}, [], "proxy"),
    ],
)
def test_a_broken_connection_setup_is_4(
    impostor: Fake,
    tmp_path: Path,
    folder: Path,
    variables: Any,
    arguments: list[str],
    sentence: str,
) -> None:
    service = f"--service={impostor.url.replace('http', 'https')}"
    env = environment(STACK_FOLDER=str(tmp_path), **variables)

    done = run(
        *[JOB_ID, service, "--user=u", "--password-stdin", "--json", "--retry-for=0", *arguments],
        stdin="secret",
        cwd=folder,
        env=env,
    )

    assert (done.returncode, json.loads(done.stdout)["errorCode"]) == (4, "unreachable")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_ca_bundle_is_not_retried(tmp_path: Path, folder: Path) -> None:
    env = environment(STACK_FOLDER=str(tmp_path), REQUESTS_CA_BUNDLE="/nowhere.pem")
    service = ["--service=https://127.0.0.1:1", "--user=u", "--password-stdin", "--retry-for=3600"]

    done = run(JOB_ID, *service, stdin="secret", cwd=folder, env=env)

    assert done.returncode == 4


def test_a_missing_ca_bundle_for_the_store_is_4(
    impostor: Fake, tmp_path: Path, folder: Path
) -> None:
    impostor.offer(b"x")
    impostor.on(RESULT, json_response(result("https://127.0.0.1:1/store", b"x")))

    env = environment(STACK_FOLDER=str(tmp_path), REQUESTS_CA_BUNDLE="/nowhere.pem")
    done = run(JOB_ID, "--json", cwd=folder, env=env)

    assert (done.returncode, json.loads(done.stdout)["errorCode"]) == (4, "unreachable")
    assert "The file store could not be reached: the certificates" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json"],
        ["--js", "70000", "--nonsense"],
        ["70000", "--threads=four", "--json"],
        ["70000", "--json=x"],
        ["70000", "--json", "--verbosity=9"],
        ["70000", "--json", "--no-color", "--force-color"],
        ["70000", "--json", "--service=http://[", "--user=u"],
        ["70000", "--json", "--service=http://a..b", "--user=u"],
        ["70000", "--json", "--service=http://a b", "--user=u"],
        ["70000", "--json", "--output"],
    ],
)
def test_a_wrong_command_line_is_one_object_too(folder: Path, arguments: list[str]) -> None:
    done = run(*arguments, cwd=folder, env=environment(STACK_FOLDER=str(folder)))

    output = json.loads(done.stdout)
    assert (done.returncode, output["exitCode"], output["errorCode"]) == (2, 2, "usage")
    assert set(output) == ONE_OBJECT
    assert output["error"] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", ["[1]", "{", '{"url": 5, "user": []}', "[" * 100_000, "\xff"])
def test_a_run_json_that_cannot_be_read_is_2(folder: Path, content: str) -> None:
    (folder / "run.json").write_bytes(content.encode("latin-1"))

    done = run("70000", "--json", cwd=folder, env=environment(STACK_FOLDER=str(folder)))

    assert (done.returncode, json.loads(done.stdout)["errorCode"]) == (2, "usage")
    assert "run.json does not name a service" in done.stderr


@pytest.mark.parametrize(
    "variables",
    [{"DEBUG": "perhaps"}, {"PRODUCTION": "true"}, {"DJANGO_SETTINGS_MODULE": "no.such"}],
)
def test_settings_that_cannot_be_read_are_8(folder: Path, variables: dict[str, str]) -> None:
    env = {name: value for name, value in environment().items() if name != "SECRET_KEY"}

    done = run("70000", "--json", cwd=folder, env=env | variables)

    assert (done.returncode, json.loads(done.stdout)["errorCode"]) == (8, "client_error")
    assert done.stderr.startswith("This program could not start: ")
    assert len(done.stderr.splitlines()) == 1


def test_stdout_of_a_full_disk_is_7(impostor: Fake, tmp_path: Path, folder: Path) -> None:
    impostor.offer(b"x")
    line = f"{shlex.join([*COMMAND, JOB_ID, '--json'])} >/dev/full"

    env = environment(STACK_FOLDER=str(tmp_path))
    done = subprocess.run(["sh", "-c", line], cwd=folder, env=env, capture_output=True, text=True)

    assert done.returncode == 7
    assert done.stderr.splitlines()[-1] == "stdout could not be written: No space left on device."


def test_without_a_temporary_folder_stdout_is_7(
    impostor: Fake, tmp_path: Path, folder: Path
) -> None:
    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    env = environment(STACK_FOLDER=str(tmp_path), TMPDIR="/nowhere")
    done = run(JOB_ID, "--output=-", cwd=folder, env=env, preexec_fn=small_disk)

    assert done.returncode == 7
    assert "A temporary folder (TMPDIR) could not be written" in done.stderr


def test_a_file_that_expired_before_the_fetch_cannot_be_resumed(
    impostor: Fake, tmp_path: Path, folder: Path
) -> None:
    impostor.offer(b"x")
    impostor.on(RESULT, problem(410, "expired", "The download is expired."))

    done = run(JOB_ID, "--json", cwd=folder, env=environment(STACK_FOLDER=str(tmp_path)))

    assert (done.returncode, json.loads(done.stdout)["goOn"]) == (6, None)
    assert done.stderr == "The download is expired.\n"


def test_wrong_bytes_from_the_store_are_5(impostor: Fake, tmp_path: Path, folder: Path) -> None:
    impostor.offer(b"the file", stored=b"elif eht")

    done = run(JOB_ID, cwd=folder, env=environment(STACK_FOLDER=str(tmp_path)))

    assert done.returncode == 5
    assert list(folder.iterdir()) == []


def test_help_and_documentation_have_every_exit_code() -> None:
    shown = run("--help").stdout
    page = (ROOT / "docs/client.md").read_text()

    for code, meaning in EXIT_CODES.items():
        assert re.search(rf"^ +{code}  {re.escape(meaning)}$", shown, re.MULTILINE)
        assert f"| {code} | {meaning} |" in page
