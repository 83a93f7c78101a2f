"""Limits for imports, libraries, sizes and names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from downloads_client import kinds as client_kinds

ROOT = Path(__file__).parent.parent
JOBS = ROOT / "jobs"
CLIENT = ROOT / "downloads_client"
MODULES = [path for path in sorted(JOBS.rglob("*.py")) if "migrations" not in path.parts]
CODE = [
    *MODULES,
    *sorted(CLIENT.rglob("*.py")),
    *sorted((ROOT / "downloads_project").rglob("*.py")),
]
MAX_ENTRIES = 20  # entries of jobs/

# Lower ranks never import higher ones; equal ranks never import each other. A unit is a folder or
# a module of jobs/, and of jobs/engine/, jobs/kinds/ and jobs/web/. A kind is loaded by the setting
# KINDS, so its folder may import the web, and only itself imports it.
SPLIT = {"engine", "kinds", "web"}
RANKS: list[set[str]] = [
    {"states", "terms", "errors"},  # the domain's words
    {"lib"},
    {"default_settings", "engine.celery_app"},
    {
        "engine.time_limit",
        "engine.simulated_delay",
        "engine.progress_clock",
        "engine.broker",
        "engine.doorbell_message",
        "engine.queue_depth",
        "engine.phases",
        "engine.queue_order",
    },
    {"workspace"},  # the contract between builders and runner
    {"storage", "outbound", "kinds.page_parts"},  # the outside world
    {"engine.bounded_output"},
    {"models", "engine.doorbell", "kinds.param_facts"},
    {
        "kinds.base",
        "engine.kind_speeds",
        "engine.submission_sql",
        "engine.heartbeat",
        "engine.process_metrics",
        "engine.figures",
        "engine.statistics_recorder",
        "engine.queue_rows",
    },
    {"kinds.mistakes", "engine.process_reports", "engine.running_limits"},
    {"kinds.archive", "kinds.registry", "engine.health", "engine.attached_files"},
    {"engine.limit_states"},
    {"kinds.error_codes", "engine.statistics", "engine.quota", "engine.queue_snapshot"},
    {
        "engine.submission",
        "engine.api_keys",
        "engine.attempt",
        "engine.attempt_trace",
        "engine.claims",
        "engine.estimates",
        "kinds.form",
    },
    {"engine.runner", "engine.pauses", "kinds.likely_mistakes"},
    {
        "web.problems",
        "web.converters",
        "web.queue_text",
        "web.devices",
        "web.request_ids",
        "web.request_limits",
        "web.file_types",
        "web.pagination",
        "web.multipart_headers",
        "web.rates",
        "web.oidc",
        "web.sign_in_window",
    },
    {"web.multipart_problems", "web.problem_counter", "web.poll_counter"},
    {
        "web.rate_counting",
        "web.content_negotiation",
        "web.multipart_form",
        "web.parsers",
        "web.upload_handlers",
        "web.browsable",
    },
    {"web.throttle", "web.representation", "web.key_uses"},
    {"web.authentication", "web.poll_responses"},
    {"web.key_authentication"},
    {
        "web.error_responses",
        "web.idempotency",
        "web.own_job",
        "web.result_files",
        "web.searching",
        "web.serializers",
        "web.wording",
    },
    {"web.openapi"},
    {"notifications"},
    {
        "engine.deletion_sweep",
        "engine.expiry",
        "engine.garbage",
        "engine.personal_data",
        "engine.storage_audit",
        "engine.sweeps",
    },
    {"engine.bulk_actions", "engine.deletions", "engine.schedules", "engine.share_links"},
    {
        "engine.dispatcher",
        "engine.storage_repair",
        "engine.tasks",
        "web.deliveries",
        "web.files",
        "web.deletions",
        "web.schedules",
        "web.shared_links",
    },
    {"web.api_keys"},
    {
        "web.api",
        "web.pages",
        "web.templatetags",
        "web.middleware",
        "web.error_handlers",
        "web.compression",
        "web.wrong_method",
        "web.asgi",
        "operations",
    },
    {
        "kinds.bundle",
        "kinds.model_export",
        "kinds.register",
        "kinds.remote",
        "kinds.report",
        "kinds.upload",
    },
    {"web.urls", "web.tracing", "management", "apps", "testing"},
]
RANK = {name: rank for rank, names in enumerate(RANKS) for name in names}
TIGHTER = {"models": RANK["lib"]}  # the highest rank these may import

# Who owns a library: nobody else imports it.
OWNERS: dict[str, set[str]] = {
    "sentry_sdk": {"lib.error_reports"},
    "opentelemetry": {"lib.tracing"},
    "boto3": {"storage"},
    "botocore": {"storage"},
    "storages": {"storage"},
    "prometheus_client": {
        "engine.process_metrics",
        "operations",
        "web.poll_counter",
        "web.problem_counter",
    },
    "celery": {"engine.celery_app", "engine.tasks"},
    "billiard": {"engine.celery_app", "engine.tasks"},
    "kombu": {"default_settings", "engine.celery_app", "engine.doorbell_message"},
    "hiredis": {"web.asgi"},
    "redis": {"web.rate_counting", "lib.changes", "web.asgi"},
    "psycopg": {"lib.postgres", "web.asgi", "engine.quota"},
    "socket": {"outbound", "lib", "storage"},
    "ssl": {"outbound"},
    "urllib3": {"outbound", "storage"},
    "idna": {"outbound"},
    "authlib": {"web.oidc"},
    "joserfc": {"web.oidc"},
    "requests": {"web.oidc"},
    "rich": set(),
    "cronsim": {"lib.cron"},
    "stream_zip": {"kinds.archive"},
    "PIL": {"kinds.upload.previews"},
    "pypdf": set(),
    "pypdfium2": {"kinds.upload.previews"},
    "multipart": {"web.multipart_form", "web.multipart_problems", "web.multipart_headers"},
    "reportlab": {"kinds.report.document"},
    "pymupdf_fonts": {"kinds.report.document"},
    "uharfbuzz": {"kinds.report.document"},
    "bidi": {"kinds.report.document"},
    "smtplib": {"notifications"},
}
# Builders do not use the database or the web.
BUILDERS = {
    "kinds.archive.build",
    "kinds.archive.member_names",
    *(f"kinds.remote.{name}" for name in ["assembly", "build", "parallel", "ranges", "sequential"]),
    "kinds.register.build",
    "kinds.report.build",
    "kinds.report.document",
    "kinds.upload.build",
    "kinds.upload.previews",
}
WEB_AND_DATABASE = {"django", "rest_framework", "celery"}
MAX_MODULE_LINES, USUAL_MODULE_LINES = 350, 200
MAX_FUNCTION_LINES = 50
TEMPLATES = sorted(
    path
    for folder in [ROOT / "templates", *JOBS.glob("kinds/*/templates")]
    for path in folder.rglob("*.*")
    if path.is_file()
)
MAX_TEMPLATE_CHARS = 120


def dotted(path: Path) -> str:
    """The module's name below jobs."""
    parts = path.relative_to(JOBS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit_of(module: str) -> str:
    first, *rest = module.split(".")
    return ".".join([first, *rest[:1]]) if first in SPLIT else first


def is_in(module: str, homes: set[str]) -> bool:
    return any(module == home or module.startswith(f"{home}.") for home in homes)


def imports(path: Path) -> Iterator[str]:
    """Dotted names of everything a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inner_imports(path: Path) -> set[str]:
    """The units of jobs that a module imports."""
    names = {name.removeprefix("jobs.") for name in imports(path) if name.startswith("jobs.")}
    return {unit_of(name) for name in names} - SPLIT


def test_jobs_has_few_entries() -> None:
    entries = sorted(path.name for path in JOBS.iterdir() if path.name != "__pycache__")
    assert len(entries) <= MAX_ENTRIES, entries


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    mine = unit_of(dotted(path))
    if mine == "kinds":
        return  # jobs/kinds/__init__.py: the public names, imported on first use
    if mine in SPLIT or not mine:
        assert not inner_imports(path)
        return
    highest = TIGHTER.get(mine, RANK[mine] - 1)

    upward = {name for name in inner_imports(path) - {mine} if RANK.get(name, 0) > highest}

    assert not upward, f"{path.relative_to(ROOT)} may not import {upward}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_library_has_its_owner(path: Path) -> None:
    used = {name.split(".")[0] for name in imports(path)}

    stolen = {name for name in used & set(OWNERS) if not is_in(dotted(path), OWNERS[name])}

    assert not stolen, f"{path.relative_to(ROOT)} may not import {stolen}"


def modules_in(*homes: str) -> list[Path]:
    found = [path for path in MODULES if is_in(dotted(path), set(homes))]
    assert found
    return found


def libraries_of(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def test_builders_import_no_database_and_no_web() -> None:
    for path in modules_in(*BUILDERS):
        assert not libraries_of(path) & WEB_AND_DATABASE, path
        others = inner_imports(path) - {unit_of(dotted(path))}
        assert {RANK[unit] for unit in others} <= set(range(RANK["storage"] + 1)), path


def test_previews_import_little_else() -> None:
    for path in modules_in("kinds.upload.previews"):
        assert inner_imports(path) <= {"errors", "lib", "kinds.upload"}, path
        assert "structlog" not in libraries_of(path), path


def test_report_documents_import_little_else() -> None:
    for path in modules_in("kinds.report.document"):
        assert inner_imports(path) <= {"errors", "lib", "states", "kinds.report"}, path
        assert "structlog" not in libraries_of(path), path


def test_jobs_needs_nothing_of_this_project() -> None:
    """A project of a team's own installs `jobs` alone."""
    for path in MODULES:
        assert "downloads_project" not in path.read_text(), path


def test_only_a_kinds_own_folder_names_it() -> None:
    kinds = {path.parent.name for path in JOBS.glob("kinds/*/kind.py")}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.value}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in kinds
        if not is_in(dotted(path), {f"kinds.{node.value}", "models.api_key"})  # has a scope upload
    ]
    imported = {
        unit for path in MODULES for unit in inner_imports(path) - {unit_of(dotted(path))}
    } & {f"kinds.{name}" for name in kinds}

    assert len(kinds) == 6
    assert not found
    assert not imported


def test_the_client_imports_only_shared_modules() -> None:
    for path in CLIENT.rglob("*.py"):
        inner = {name for name in imports(path) if name.split(".")[0] == "jobs"}
        assert all(
            is_in(name, {"jobs.lib.names", "jobs.lib.retry_after"}) for name in inner - {"jobs.lib"}
        ), path.name
        assert not libraries_of(path) & WEB_AND_DATABASE, path.name


def test_the_client_names_kinds_in_one_folder_only() -> None:
    kinds = {kind.name for kind in client_kinds.KINDS} | {"upload"}  # which it cannot request
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in CLIENT.rglob("*.py")
        if CLIENT / "kinds" not in path.parents
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in kinds
    ]
    assert not found


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
    writes = {"update", "update_for_transition", "bulk_update", "create", "update_or_create"}
    return node.func.attr in writes and any(word.arg == "status" for word in node.keywords)


def test_the_environment_is_read_in_few_places() -> None:
    allowed = {
        "environment",
        "settings",
        "celery",
        "wsgi",
        "gunicorn",  # hands the folder of the metrics on to prometheus_client
        "processes",
        "stack",
        "programs",
        "discovery",
        "run",
        "login",
        "process_memory",
        "settings_environment",
        "tracer_provider",  # hands the variables of files on to OpenTelemetry
    }
    readers = {path.stem for path in CODE if "os.environ" in path.read_text()}
    assert readers <= allowed


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_are_short(path: Path) -> None:
    text = path.read_text()

    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert text.count("\n") <= MAX_MODULE_LINES
    too_long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= MAX_FUNCTION_LINES]
    assert not too_long


def test_nine_in_ten_modules_are_short() -> None:
    lengths = sorted(path.read_text().count("\n") for path in CODE)
    lengths = [length for length in lengths if length]

    assert lengths[int(0.9 * len(lengths))] <= USUAL_MODULE_LINES


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_templates_have_short_lines(path: Path) -> None:
    too_long = [line for line in path.read_text().splitlines() if len(line) > MAX_TEMPLATE_CHARS]

    assert not too_long


def test_every_module_has_a_docstring() -> None:
    silent = [
        path.name
        for path in CODE
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


CHECKS = [*JOBS.glob("operations/checks/*.py"), *JOBS.glob("kinds/*/checks.py")]


def test_each_check_has_an_id_of_its_own() -> None:
    sources = [path.read_text() for path in CHECKS]

    ids = re.findall(r'"(jobs\.[EW]\d{3})"', "\n".join(sources))

    assert sorted(ids) == sorted(set(ids))
