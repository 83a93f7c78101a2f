"""The client as a program of its own: `downloads`, and `python -m downloads_client`."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.install_client import main as install_client
from tests.client.fake import JOB_ID, RESULT, STATUS, Fake, Stored, job, json_response, result
from tests.client.terminal import ROOT, environment

CONTENT = b"PK the archive"
MODULE = [sys.executable, "-m", "downloads_client"]
WITHOUT_DJANGO = """
import runpy, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("django", "rest_framework", "celery", "downloads_project"):
            raise ImportError(name)

sys.meta_path.insert(0, Blocker())
runpy.run_module("downloads_client", run_name="__main__", alter_sys=True)
"""


def run(command: list[str], *arguments: str, folder: Path, stdin: str = "secret\n") -> Any:
    env = environment(STACK_FOLDER=str(folder), PYTHONPATH=str(ROOT))
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


def login(fake: Fake) -> list[str]:
    return [f"--service={fake.url}", "--user=demo", "--password-stdin"]


@pytest.fixture
def completed(fake: Fake) -> Fake:
    fake.on(STATUS, json_response(job("completed", progress=1)))
    fake.on(RESULT, json_response(result(f"{fake.url}/store", CONTENT)))
    fake.on("/store", Stored(CONTENT))
    return fake


def test_it_needs_no_django(completed: Fake, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_DJANGO]

    done = run(command, JOB_ID, *login(completed), "--json", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["path"] == "2 files.zip"
    assert (tmp_path / "2 files.zip").read_bytes() == CONTENT


def test_the_installed_command_fetches_a_file(completed: Fake, tmp_path: Path) -> None:
    bin_folder = tmp_path / "venv" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python").symlink_to(sys.executable)
    (tmp_path / "venv" / "pyvenv.cfg").write_text((Path(sys.prefix) / "pyvenv.cfg").read_text())
    (tmp_path / "venv" / "lib").symlink_to(Path(sys.prefix) / "lib")
    install_client(str(tmp_path / "venv"))

    command = [str(bin_folder / "downloads")]
    done = run(command, JOB_ID, *login(completed), folder=tmp_path)

    assert (done.returncode, done.stdout) == (0, "2 files.zip\n"), done.stderr


def test_the_login_of_make_run_is_the_default(completed: Fake, tmp_path: Path) -> None:
    run_json = {"url": completed.url, "user": "demo", "password": "secret"}
    (tmp_path / "run.json").write_text(json.dumps(run_json))

    done = run(MODULE, JOB_ID, folder=tmp_path)

    assert (done.returncode, done.stdout) == (0, "2 files.zip\n"), done.stderr


def test_the_command_that_resumes_starts_the_same_program(fake: Fake, tmp_path: Path) -> None:
    fake.on(STATUS, json_response(job("completed", progress=1)))
    fake.on(RESULT, json_response(result("http://127.0.0.1:1/store", CONTENT)))

    done = run(MODULE, JOB_ID, *login(fake), "--retry-for=0", "--json", folder=tmp_path)

    assert done.returncode == 4, done.stderr
    expected = [*MODULE, JOB_ID, f"--service={fake.url}", "--user=demo", "--password-stdin"]
    assert shlex.split(json.loads(done.stdout)["goOn"]) == expected


@pytest.mark.parametrize("arguments", [["x", "--json"], ["--json"], ["70000", "--nope", "--js"]])
def test_a_usage_error_is_2_and_one_object(tmp_path: Path, arguments: list[str]) -> None:
    done = run(MODULE, *arguments, folder=tmp_path)

    output = json.loads(done.stdout)
    assert (done.returncode, output["exitCode"], output["errorCode"]) == (2, 2, "usage")
    assert output["error"] in done.stderr
    assert "Traceback" not in done.stderr


def test_the_former_name_of_retry_for_works_and_is_hidden(fake: Fake, tmp_path: Path) -> None:
    done = run(MODULE, JOB_ID, *login(fake), "--patience=0", folder=tmp_path)
    shown = run(MODULE, "--help", folder=tmp_path).stdout

    assert done.returncode == 3, done.stderr
    assert "--retry-for" in shown
    assert "--patience" not in shown
