"""What a kind outside this repository imports.

The names are imported on first use: programs that need only a builder, such as the sandboxed
reader of uploads, run without Django.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.errors import BuildError
    from jobs.kinds.base import Kind
    from jobs.workspace import Workspace

__all__ = ["BuildError", "Kind", "Workspace"]

_HOMES = {"BuildError": "jobs.errors", "Kind": "jobs.kinds.base", "Workspace": "jobs.workspace"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
