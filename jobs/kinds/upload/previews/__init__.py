"""Creates previews of uploaded files: smaller pictures, text, a poster, a clip.

Untrusted files are read only in a helper process, which has no secrets, no network and little
memory, and may crash. Knows no database, web or storage: the builder passes files on disk.
"""

from __future__ import annotations

from jobs.kinds.upload.previews.preview_result import (
    CreatedPreview,
    PreviewLimits,
    PreviewResult,
    skipped_preview,
)
from jobs.kinds.upload.previews.sandbox import LAYERS, missing_sandbox_layers

__all__ = [
    "LAYERS",
    "CreatedPreview",
    "PreviewLimits",
    "PreviewResult",
    "missing_sandbox_layers",
    "skipped_preview",
]
