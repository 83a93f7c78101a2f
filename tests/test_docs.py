"""The commands, links, paths and figures in README.md and docs/ are correct.

Each fenced block in a language of RUN is run against the real service, or has the comment `<!-- not
run: reason -->` above it. The bash blocks of one page run in one shell.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import User

from deploy import settings_page
from jobs.models import Notification, StoredFile
from tests.live import ROOT, Live, on_this_database, until

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
RUN = {"bash", "python", "javascript"}
COMMANDS = RUN | {"console"}
NOT_COMMANDS = {"", "http", "json", "mermaid"}
SITE = "http://127.0.0.1:8000"  # of `make run`, in the examples
ELSEWHERE = "https://www.rfc-editor.org"  # what the examples fetch; here a server of the test
CLIENT, MODULE = ".venv/bin/downloads", "downloads_client"  # `make install` installs it
PAGE_SECONDS = 240
PYTHON = sys.executable


@dataclass(frozen=True)
class Block:
    """A fenced block and the comment above it. `line` is that of its fence, counted from 1."""

    page: Path
    line: int
    language: str
    text: str
    comment: str

    @property
    def is_marked(self) -> bool:
        return bool(re.fullmatch(r"<!-- not run: \S.+ -->", self.comment))

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    lines = page.read_text().splitlines()
    fences = [number for number, line in enumerate(lines) if line.startswith("```")]
    for first, last in zip(fences[::2], fences[1::2], strict=True):
        text = "\n".join(lines[first + 1 : last]) + "\n"
        comment = lines[first - 1] if first else ""
        yield Block(page, first + 1, lines[first].removeprefix("```"), text, comment)


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
TO_RUN = [block for block in BLOCKS if block.language in RUN and not block.is_marked]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_command_block_is_run_or_says_why_not(block: Block) -> None:
    assert block.language in COMMANDS | NOT_COMMANDS
    if block.language in COMMANDS:
        assert block in TO_RUN or block.is_marked
    else:
        assert not re.search(r"^\$ ", block.text, re.MULTILINE)


class Elsewhere(BaseHTTPRequestHandler):
    """Serves a text at every path, and accepts every webhook."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._respond(200, b"HTTP Semantics\n" * 1_000)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._respond(204, b"")

    def _respond(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def live(tmp_path: Path, stored_files: list[StoredFile], settings: Any) -> Iterator[Live]:
    """The service as `make run` starts it: with the user demo, and public files from 70000 on."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    User.objects.create_user("demo", "demo@localhost", "correct horse")
    logs = tmp_path / "logs"
    logs.mkdir()
    live = Live(logs, on_this_database() | {"REMOTE_ALLOWED_PRIVATE_HOSTS": "127.0.0.1"})
    try:
        for name in ("dispatcher", "web", "worker"):
            live.start(name)
        yield live
    finally:
        live.stop()


class Shell:
    """Runs blocks in a folder that looks like the repository after `make run`."""

    def __init__(self, folder: Path, live: Live, elsewhere: str) -> None:
        self.folder = folder
        self.scripts = folder / "scripts"
        self.substitutes = {SITE: live.url, ELSEWHERE: elsewhere, CLIENT: f"{PYTHON} -m {MODULE}"}
        stack = folder / ".stack"
        for made in (self.scripts, stack / "downloads"):
            made.mkdir(parents=True)
        for name in ("manage.py", "docs", "deploy", ".github"):
            (folder / name).symlink_to(ROOT / name)
        (folder / ".venv").symlink_to(sys.prefix)
        login = {"url": live.url, "user": "demo", "password": "correct horse"}
        (stack / "run.json").write_text(json.dumps(login))
        (stack / "downloads/14 files.zip").write_bytes(bytes(17 * 2**20))
        (folder / ".curlrc").write_text("fail-with-body\nmax-time = 60\n")
        self.env = os.environ | live.env
        self.env |= {"STACK_FOLDER": str(stack), "HOME": str(folder), "PYTHONPATH": str(ROOT)}

    def bash(self, blocks: list[Block]) -> str:
        """Run blocks of one page; the line numbers of errors are those of the page."""
        lines: list[str] = ["set -eEuo pipefail; trap 'echo \"failed at line $LINENO\" >&2' ERR"]
        for block in blocks:
            lines += [""] * (block.line - len(lines)) + block.text.splitlines()
        script = self.scripts / blocks[0].page.name
        return self._run(["bash", str(script)], script, "\n".join(lines) + "\n")

    def python(self, block: Block) -> str:
        script = self.scripts / f"{block.page.name}-{block.line}.py"
        return self._run([PYTHON, str(script)], script, block.text)

    def javascript(self, block: Block) -> str:
        script = self.scripts / f"{block.page.name}-{block.line}.mjs"
        return self._run(["node", str(script)], script, block.text)

    def _run(self, command: list[str], script: Path, text: str) -> str:
        for shown, real in self.substitutes.items():
            text = text.replace(shown, real)
        script.write_text(text)
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PAGE_SECONDS,
        )
        assert done.returncode == 0, f"{script.name}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout


@pytest.fixture
def shell(tmp_path: Path, live: Live, elsewhere: str) -> Shell:
    for program in ("curl", "jq", "node"):
        if not shutil.which(program):
            pytest.skip(f"the commands in the documentation need {program}")
    folder = tmp_path / "repository"
    folder.mkdir()
    return Shell(folder, live, elsewhere)


@pytest.mark.django_db(transaction=True)
def test_commands_work(shell: Shell) -> None:
    for page in PAGES:
        blocks = [block for block in TO_RUN if block.page == page]
        output = ""
        if in_bash := [block for block in blocks if block.language == "bash"]:
            output = shell.bash(in_bash)
            assert_has_fetched(shell, page)
        for block in blocks:
            if block.language != "bash":
                getattr(shell, block.language)(block)
                assert_has_fetched(shell, page)
        for line in response_lines(page):
            assert line in output, f"{page.name} shows {line!r}\n{output}"
    until(lambda: Notification.objects.filter(channel="webhook", state="sent").exists(), 60)


def assert_has_fetched(shell: Shell, page: Path) -> None:
    """Each way in README downloads the same archive."""
    if page == README:
        archive = shell.folder / "files.zip"
        with zipfile.ZipFile(archive) as opened:
            assert len(opened.namelist()) == 2
        archive.unlink()


def response_lines(page: Path) -> set[str]:
    shown = [block.text for block in blocks_of(page) if block.language == "http"]
    return set(re.findall(r"^HTTP/1\.1 .+$", "\n".join(shown), re.MULTILINE))


def prose(page: Path) -> str:
    """The page without fenced blocks and comments."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_internal_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", prose(document))
    links += re.findall(r'(?:src|srcset)="([^"]+)"', document.read_text())
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_named_files_exist(document: Path) -> None:
    top = {path.name for path in ROOT.iterdir()} - {".stack", ".venv"}
    for code in re.findall(r"`([^`\n]+)`", prose(document)):
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", code):
            continue
        is_path = code.split("/")[0] in top or re.search(r"\.(py|md|yml|toml)$", code)
        assert not is_path or (ROOT / code).exists(), code


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_named_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))

    named = set(
        re.findall(r"(?:`|^\$ )(?:\w+=\S+ )*make ([a-z-]+)", document.read_text(), flags=re.M)
    )

    assert named <= targets


def test_files_in_the_picture_exist() -> None:
    (picture,) = [block.text for block in blocks_of(README) if not block.language]
    names = re.findall(r"[\w/<>]+\.py|[\w/<>]+/(?= )", picture)

    assert len(names) > 15
    for name in names:
        assert list((ROOT / "jobs").rglob(name.replace("<kind>", "*"))), name


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_length(document: Path) -> None:
    text = re.sub(r"`[^`]*`", "", prose(document))
    if document.name == "benchmarks.md":  # whose figures are generated
        whole = re.sub(r"<!-- figures -->.*<!-- /figures -->", "", document.read_text(), flags=re.S)
        text = re.sub(r"`[^`]*`", "", re.sub(r"^```.*?^```$", "", whole, flags=re.M | re.S))

    words = len(re.findall(r"\w[^\s|]*", text))

    most = 1_200 if document.name == "settings.md" else 900  # a list, made of .env.example
    assert 130 <= words <= most
    if document == README:
        assert document.read_text().count("\n") <= 150


def test_settings_page_is_fresh() -> None:
    expected = settings_page.page((ROOT / ".env.example").read_text())

    assert (ROOT / "docs/settings.md").read_text() == expected, "run `make docs`"


def test_example_names_what_production_requires() -> None:
    rows = {row[0]: row[2] for row in settings_page.rows((ROOT / ".env.example").read_text())}

    named = {name for name, text in rows.items() if "Required in production" in text}

    assert named == set(required_settings())


def required_settings() -> Iterator[str]:
    """The variables that settings read with `required`."""
    files = ("downloads_project/settings.py", "jobs/default_settings/__init__.py")
    nodes = [node for name in files for node in ast.walk(ast.parse((ROOT / name).read_text()))]
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "required":
            yield ast.literal_eval(node.args[0])
