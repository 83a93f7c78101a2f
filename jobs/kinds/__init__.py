"""What a kind outside this repository imports.

The names are imported on first use: programs that need only a builder, such as the sandboxed
reader of uploads, run without Django.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.errors import BuildError
    from jobs.kinds.archive.bundle import Bundle
    from jobs.kinds.base import Kind
    from jobs.workspace import Source, Workspace

__all__ = ["BuildError", "Bundle", "Kind", "Source", "Workspace"]

_HOMES = {
    "BuildError": "jobs.errors",
    "Bundle": "jobs.kinds.archive.bundle",
    "Kind": "jobs.kinds.base",
    "Source": "jobs.workspace",
    "Workspace": "jobs.workspace",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
