"""Who may import whom, who may use which library, and how long things may get."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
JOBS = ROOT / "jobs"
MODULES = [path for path in sorted(JOBS.rglob("*.py")) if "migrations" not in path.parts]
CODE = MODULES + sorted((ROOT / "downloads_project").rglob("*.py"))

# Lower ranks never import higher ones; equal ranks never import each other. A package is one unit.
RANKS: list[set[str]] = [
    {
        "states",
        "terms",
        "errors",
        "backoff",
        "time_limit",
        "names",
        "converters",
        "request_ids",
        "addresses",
        "public_addresses",
        "digest",
        "mailbox",
        "demo_files",
        "ranges",
        "filetypes",
        "scratch",
        "changes",
        "sources",
        "queue_depth",
        "request_limits",
        "simulated_delay",
        "retry_after",
    },
    {"patience", "problems", "client", "submission_sql", "permissions", "devices"},
    {"readers"},
    {"workspace"},  # the contract between builders and runner
    {"storage", "remote_file", "clamd", "processing", "reporting", "rates"},  # the outside world
    {"builders", "models", "queue"},  # must not meet
    {"kinds", "pulse", "estimates", "representation", "quota"},
    {"attempt", "wording"},
    {"notifications", "form_headers"},
    {
        "submission",
        "runner",
        "dispatcher",
        "parsers",
        "forms",
        "throttle",
        "statistics",
    },  # use cases
    {"uploads", "searching"},  # ends in a submission; counts
    {"serializers", "http", "browsable", "authentication", "tasks"},  # translation
    {"api", "pages", "admin", "checks", "health", "management"},
    {"urls", "apps", "middleware"},
    {"asgi"},
]
RANK = {name: rank for rank, names in enumerate(RANKS) for name in names}
TIGHTER = {
    "client": 0,
    "models": 0,
    "builders": RANK["storage"],
}  # the highest rank these may import

# Who owns a library: nobody else imports it.
OWNERS = {
    "boto3": {"storage"},
    "botocore": {"storage"},
    "storages": {"storage"},
    "celery": {"queue", "tasks"},
    "billiard": {"tasks"},
    "kombu": {"queue"},
    "hiredis": {"asgi"},
    "redis": {"rates", "changes", "asgi"},
    "psycopg": {"asgi", "quota"},
    "socket": {"remote_file", "clamd", "storage"},
    "ssl": {"remote_file"},
    "urllib3": {"remote_file", "storage"},
    "idna": {"remote_file"},
    "requests": {"client"},
    "rich": {"client"},
    "stream_zip": {"builders"},
    "PIL": {"processing"},
    "pypdf": set(),
    "pypdfium2": {"processing"},
    "multipart": {"forms", "form_headers"},
    "reportlab": {"reporting"},
    "pymupdf_fonts": {"reporting"},
    "uharfbuzz": {"reporting"},
    "smtplib": {"notifications"},
}
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 50


def unit(path: Path) -> str:
    return path.relative_to(JOBS).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Dotted names of everything a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inner_imports(path: Path) -> set[str]:
    parts = [name.split(".") for name in imports(path)]
    return {part[1] for part in parts if part[0] == "jobs" and len(part) > 1} - {unit(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    if unit(path) == "__init__":
        return
    mine = RANK[unit(path)]
    highest = TIGHTER.get(unit(path), mine - 1)

    upward = {name for name in inner_imports(path) if RANK.get(name, 0) > highest}

    assert not upward, f"{path.relative_to(ROOT)} may not import {upward}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_library_has_its_owner(path: Path) -> None:
    used = {name.split(".")[0] for name in imports(path)}

    stolen = {name for name in used & set(OWNERS) if unit(path) not in OWNERS[name]}

    assert not stolen, f"{path.relative_to(ROOT)} may not import {stolen}"


def test_builders_know_no_database_and_no_web() -> None:
    for path in (JOBS / "builders").glob("*.py"):
        known = {name.split(".")[0] for name in imports(path)}
        assert not known & {"django", "rest_framework", "celery"}, path.name


def test_what_reads_uploaded_files_knows_no_database_and_no_web() -> None:
    for path in (JOBS / "processing").glob("*.py"):
        assert inner_imports(path) <= {"errors", "mailbox"}, path.name
        known = {name.split(".")[0] for name in imports(path)}
        assert not known & {"django", "rest_framework", "celery", "structlog"}, path.name


def test_what_draws_reports_knows_no_database_and_no_web() -> None:
    for path in (JOBS / "reporting").glob("*.py"):
        assert inner_imports(path) <= {"errors", "states"}, path.name
        known = {name.split(".")[0] for name in imports(path)}
        assert not known & {"django", "rest_framework", "celery", "structlog"}, path.name


def test_the_client_knows_the_service_by_its_contract_only() -> None:
    for path in (JOBS / "client").glob("*.py"):
        assert inner_imports(path) <= {"names", "retry_after"}, path.name
        known = {name.split(".")[0] for name in imports(path)}
        assert not known & {"django", "rest_framework", "celery"}, path.name


def test_only_move_writes_a_status() -> None:
    """No `status=` in an update or on an attribute, outside `_move` and the submitting insert."""
    found = [
        f"{path.name}:{node.lineno}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        if writes_status(node)
    ]
    assert len(found) == 1, found
    assert found[0].startswith("job.py"), found


def writes_status(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        return any(isinstance(t, ast.Attribute) and t.attr == "status" for t in node.targets)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    writes = {"update", "bulk_update", "create", "update_or_create"}
    return node.func.attr in writes and any(word.arg == "status" for word in node.keywords)


def test_the_environment_is_read_in_few_places() -> None:
    allowed = {"environment", "settings", "celery", "wsgi", "processes", "stack", "run"}
    readers = {path.stem for path in CODE if "os.environ" in path.read_text()}
    assert readers <= allowed


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_grows_too_long_to_read(path: Path) -> None:
    text = path.read_text()

    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert text.count("\n") <= MAX_MODULE_LINES
    too_long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= MAX_FUNCTION_LINES]
    assert not too_long


def test_every_module_says_what_it_is() -> None:
    silent = [
        path.name
        for path in CODE
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_each_check_has_an_id_of_its_own() -> None:
    sources = [path.read_text() for path in (ROOT / "jobs/checks").glob("*.py")]

    ids = re.findall(r'"(jobs\.[EW]\d{3})"', "\n".join(sources))

    assert sorted(ids) == sorted(set(ids))
