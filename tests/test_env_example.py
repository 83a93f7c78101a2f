"""`.env.example` names every variable that is read, and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent
EXAMPLE = (BASE / ".env.example").read_text()
COMPOSE = (BASE / "docker-compose.yml").read_text()
READERS = re.compile(r"(env|self)(\.\w+)?|required|os\.environ\.get|os\.getenv")
THE_SYSTEMS_OWN = {"PATH"}
OF_OPENTELEMETRY = {"OTEL_EXPORTER_OTLP_ENDPOINT"}  # whose SDK reads it, and many more


def test_every_variable_of_the_code_is_documented() -> None:
    assert read_by_code() - documented() == set()


def test_every_variable_of_compose_is_documented() -> None:
    assert read_by_compose() - documented() == set()


def test_no_unread_variable_is_documented() -> None:
    assert documented() - read_by_code() - read_by_compose() == set()


def test_a_copy_of_the_example_changes_nothing() -> None:
    assert [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")] == []


def documented() -> set[str]:
    return set(re.findall(r"^#([A-Z][A-Z0-9_]*)=", EXAMPLE, re.MULTILINE)) - OF_OPENTELEMETRY


def read_by_compose() -> set[str]:
    return set(re.findall(r"\$\{([A-Z0-9_]+)", COMPOSE))


def read_by_code() -> set[str]:
    code = [
        *(BASE / "downloads_project").rglob("*.py"),
        *(BASE / "jobs/default_settings").glob("*.py"),
        BASE / "jobs/lib/environment.py",
        BASE / "jobs/lib/logs.py",
    ]
    found = {name for path in code for name in _reads(path)}
    assert {"SECRET_KEY", "DATABASE_URL", "WEB_THREADS", "SLOW"} <= found  # reads all of them
    return found - THE_SYSTEMS_OWN


def _reads(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        key: ast.expr | None = None
        if isinstance(node, ast.Call) and READERS.fullmatch(ast.unparse(node.func)) and node.args:
            key = node.args[0]
        elif (
            isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Load)
            and ast.unparse(node.value) == "os.environ"
        ):
            key = node.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value
