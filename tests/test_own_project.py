"""The wheel in a Django project of a team's own: tests/own_project/.

It is installed without this repository on the path, and runs with the team's settings, users,
admin, URLs and Celery app, on a plain WSGI server.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from downloads_project.local.ports import free_ports
from downloads_project.processes import Process
from tests.live import BIN, ROOT, until

HERE = Path(__file__).parent / "own_project"
EMAIL, PASSWORD = "ada@warehouse.example", "correct horse"
PRICES = b"1,10 USD\n2,20 USD\n3,30 USD\n"
LOCAL = {"name": "downloads-project", "module": "downloads_client"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the files of the repository, as `pip install .` does."""
    source = tmp_path_factory.mktemp("source")
    for name in ("downloads_client", "jobs", "templates", "requirements"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "LICENSE"):
        shutil.copy(ROOT / name, source)
    _run(BIN / "uv", "build", "--wheel", "--quiet", "--out-dir", source / "dist", source)
    (made,) = (source / "dist").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path) -> Path:
    """Return the interpreter of an environment with the wheel and its extra `service`.

    Its libraries have the versions of this environment. It is kept for the next run.
    """
    pinned = "".join(
        sorted(
            f"{each.name}=={each.version}\n"
            for each in importlib.metadata.distributions()
            if each.name not in LOCAL.values()
        )
    )
    digest = hashlib.sha256(f"{ROOT} {sys.version} {pinned}".encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"downloads-own-project-{digest}"
    interpreter = folder / "bin/python"
    if not interpreter.exists():
        _run(BIN / "uv", "venv", "--quiet", "--python", sys.executable, folder)
    constraints = wheel.with_name("constraints.txt")
    constraints.write_text(pinned)
    _run(
        *(BIN / "uv", "pip", "install", "--quiet", "--python", interpreter),
        *("--constraint", constraints, "--reinstall-package", LOCAL["name"]),
        f"{wheel}[service]",
    )
    return interpreter


class Project:
    """The team's project: its folder, environment and processes."""

    def __init__(self, folder: Path, python: Path, servers: dict[str, str]) -> None:
        self.folder, self.python = folder, python
        self.port = next(free_ports(str(folder)))
        self.url = f"http://127.0.0.1:{self.port}"
        without = ("DJANGO_SETTINGS_MODULE", "PYTHONPATH", "DATABASE_URL", "ENV_FILES")
        self.env = {name: text for name, text in os.environ.items() if name not in without}
        self.env |= servers | {"TEAM_SECRET_KEY": "k" * 50, "REMAP_SIGTERM": "SIGQUIT"}
        self.processes: list[Process] = []

    def manage(self, *arguments: str, **env: str) -> str:
        command = [self.python, "manage.py", *arguments]
        return _run(*command, cwd=self.folder, env=self.env | env)

    def client(self, program: str, *arguments: str) -> str:
        """Run the terminal client."""
        login = (f"--service={self.url}", f"--user={EMAIL}", "--password-stdin")
        command = [self.python.parent / program, *arguments, *login]
        return _run(*command, cwd=self.folder, env=self.env, input=f"{PASSWORD}\n")

    def start(self, role: str) -> Process:
        bin_folder = self.python.parent
        command: list[str | Path] = {
            "web": [bin_folder / "gunicorn", "team.wsgi", f"--bind=127.0.0.1:{self.port}"],
            "worker": [bin_folder / "celery", "-A", "team", "worker", "--concurrency=1"],
            "dispatcher": [self.python, "manage.py", "dispatcher"],
        }[role]
        log = self.folder / f"{role}.log"
        enter = ["env", f"--chdir={self.folder}", "--ignore-environment"]
        variables = [f"{name}={text}" for name, text in (self.env | {"ROLE": role}).items()]
        process = Process(role, [*enter, *variables, *command], log)
        self.processes.append(process)
        process.start()
        return process

    def stop(self) -> None:
        for process in self.processes:
            process.ask_to_stop()
        for process in self.processes:
            process.end(8)

    def logs(self) -> str:
        return "\n".join(process.log.read_text()[-3000:] for process in self.processes)


@pytest.fixture(scope="module")
def project(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project after `migrate`, with an account, running."""
    folder = tmp_path_factory.mktemp("own") / "project"
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    project = Project(folder, python, _servers())
    assert "no issues" in project.manage("check", "--fail-level=WARNING")
    project.manage("migrate", "--verbosity=0")
    project.manage("make_bucket")
    project.manage(
        *("createsuperuser", "--noinput", f"--email={EMAIL}", "--username=ada"),
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )
    try:
        project.start("dispatcher")
        project.start("worker")
        web = project.start("web")
        web.wait_until(lambda: requests.get(f"{project.url}/health/live", timeout=5), 60)
        yield project
    finally:
        project.stop()


def _servers() -> dict[str, str]:
    """Create the team's database, and return where the servers of the tests are."""
    database = urlsplit(os.environ["DATABASE_URL"])
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS team WITH (FORCE)")
        connection.execute("CREATE DATABASE team")
    broker = os.environ["REDIS_URL"].rpartition("/")[0]
    return {
        "TEAM_DB_HOST": str(database.hostname),
        "TEAM_DB_PORT": str(database.port),
        "TEAM_DB_USER": str(database.username),
        "TEAM_DB_PASSWORD": str(database.password),
        "REDIS_URL": f"{broker}/7",
        "CACHE_URL": f"{broker}/8",
        "S3_BUCKET": "team",
    }


def _run(*command: str | Path, **options: Any) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=300, **options
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def session(project: Project) -> requests.Session:
    """A browser's session that is signed in on the service's page."""
    session = requests.Session()
    session.headers["Accept"] = "text/html"
    session.get(f"{project.url}/sign-in", timeout=10)
    form = {"username": EMAIL, "password": PASSWORD, "next": "/downloads"}
    form["csrfmiddlewaretoken"] = str(session.cookies["csrftoken"])
    page = session.post(f"{project.url}/sign-in", data=form, timeout=10)
    assert page.url == f"{project.url}/downloads", page.text
    return session


def test_the_wheel_has_the_whole_app(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        packed = {name for name in opened.namelist() if ".dist-info/" not in name}
    jobs = [path for path in (ROOT / "jobs").rglob("*.*") if path.suffix != ".pyc"]
    expected = {str(path.relative_to(ROOT)) for path in jobs if path.is_file()}
    expected |= {f"jobs/{path.relative_to(ROOT)}" for path in (ROOT / "templates").rglob("*.*")}
    for name in ("base_site", "login"):  # would change the team's admin
        expected.remove(f"jobs/templates/admin/{name}.html")

    assert expected - packed == set()
    assert {name.split("/")[0] for name in packed} == {"downloads_client", "jobs"}


def test_the_page_shows_this_project() -> None:
    page = (ROOT / "docs/own-project.md").read_text()
    blocks = re.findall(r"```python\n# team/(\w+\.py)\n(.*?)```", page, re.DOTALL)

    assert {name for name, _ in blocks} == {"settings.py", "urls.py", "celery.py"}
    for name, text in blocks:
        code = (HERE / "team" / name).read_text().splitlines()
        lines = {line.partition("  # noqa")[0] for line in code}
        assert set(text.splitlines()) <= lines, name


def test_jobs_is_the_installed_one(project: Project) -> None:
    place = project.manage("shell", "--no-imports", "-c", "import jobs; print(jobs.__file__)")

    assert place.startswith(str(project.python.parent.parent))


def test_the_client_needs_no_django(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path)
        (metadata,) = [name for name in opened.namelist() if name.endswith("/METADATA")]
        lines = opened.read(metadata).decode().splitlines()
    always = [line for line in lines if line.startswith("Requires-Dist") and "extra" not in line]
    block = (
        "import sys; sys.modules['django'] = None; import downloads_client.__main__ as m; m.main"
    )

    assert [line.split()[1] for line in always] == ["regex", "requests", "rich"]
    _run(sys.executable, "-c", block, cwd=tmp_path, env=os.environ | {"PYTHONPATH": ""})


def test_migrations_are_complete(project: Project) -> None:
    assert "No changes" in project.manage("makemigrations", "--check", "--dry-run")


def test_a_job_of_the_teams_kind(project: Project) -> None:
    login = {"username": EMAIL, "password": PASSWORD}
    api = requests.Session()
    tokens = api.post(f"{project.url}/v1/auth/token", json=login, timeout=10).json()
    api.headers["Authorization"] = f"Bearer {tokens['access']}"

    asked = api.post(f"{project.url}/v1/jobs/price-list", json={"currency": "USD"}, timeout=10)

    assert asked.status_code == 202, asked.text
    assert asked.headers["X-Team"] == "warehouse"
    job_id = asked.json()["jobId"]

    def status() -> str:
        return str(api.get(f"{project.url}/v1/download/status/{job_id}", timeout=10).json())

    until(lambda: "'completed'" in status(), 60, lambda: f"{status()}\n{project.logs()}")
    result = api.get(f"{project.url}/v1/download/result/{job_id}", timeout=10).json()
    assert requests.get(result["downloadUrl"], timeout=10).content == PRICES
    for number, program in enumerate([["downloads"], ["python", "manage.py", "download"]]):
        target = project.folder / f"prices-{number}.csv"
        project.client(*program, job_id, f"--output={target}")
        assert target.read_bytes() == PRICES


@pytest.mark.parametrize("path", ["", "downloads", "link", "upload", "reports", "settings", "docs"])
def test_pages_for_the_teams_users(path: str, session: requests.Session, project: Project) -> None:
    page = session.get(f"{project.url}/{path}", timeout=10)

    assert page.status_code == 200, page.text
    assert 'href="/static/jobs/' in page.text


def test_the_form_of_the_teams_kind(session: requests.Session, project: Project) -> None:
    page = session.get(f"{project.url}/new/price-list", timeout=10)

    assert "USD" in page.text
    assert EMAIL in page.text


def test_the_teams_page(project: Project) -> None:
    assert requests.get(f"{project.url}/team", timeout=10).text == "The team's own page."


def test_the_teams_forms_have_djangos_limits(project: Project) -> None:
    files = {"photo": bytes(3_000_000), "scan": b"%PDF"}

    answer = requests.post(f"{project.url}/team/upload", files=files, timeout=20)

    assert answer.text == "3000004"


def test_the_services_forms_keep_their_limits(session: requests.Session, project: Project) -> None:
    answer = session.post(f"{project.url}/link", data={"url": "x" * 40_000}, timeout=10)

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "",
        "people/person/",
        "jobs/downloadjob/",
        f"jobs/downloadjob/?q={EMAIL}",
        f"jobs/storedfile/?q={EMAIL}",
        f"jobs/preferences/?q={EMAIL}",
        "jobs/preferences/add/",
        "django_celery_results/taskresult/",
    ],
)
def test_the_teams_admin(path: str, session: requests.Session, project: Project) -> None:
    page = session.get(f"{project.url}/admin/{path}", timeout=10)

    assert page.status_code == 200, page.text
    assert re.search("The team&#x27;s warehouse", page.text)
    assert "icon.svg" not in page.text


def test_static_files_are_collected(project: Project) -> None:
    found = project.manage("findstatic", "jobs/style.css")

    assert "jobs/static/jobs/style.css" in found


def test_forgotten_settings_are_named(project: Project) -> None:
    (project.folder / "bare.py").write_text(
        "SECRET_KEY = 'x'\n"
        "INSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes', 'jobs']\n"
    )

    done = subprocess.run(
        [project.python, "manage.py", "check"],
        cwd=project.folder,
        env=project.env | {"DJANGO_SETTINGS_MODULE": "bare"},
        capture_output=True,
        text=True,
    )

    assert "from jobs.default_settings import *" in done.stderr
