"""The previews of each content type, and the module that creates them.

The modules are imported on demand: each loads its own parser, and a helper process needs only one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from jobs.kinds.upload.previews.preview_result import PreviewResult, Work

PICTURE = ("image/jpeg", "image/webp")


@dataclass(frozen=True)
class PreviewType:
    """`content_types` are those that a preview may have, by role."""

    module: str
    function: str
    content_types: dict[str, tuple[str, ...]]
    is_slow: bool = False

    def load(self) -> Callable[[Work], PreviewResult]:
        module = import_module(f"jobs.kinds.upload.previews.{self.module}")
        make: Callable[[Work], PreviewResult] = getattr(module, self.function)
        return make


IMAGES = PreviewType(
    "images", "make_image_previews", {"thumbnail": PICTURE, "medium": PICTURE, "large": PICTURE}
)
PDFS = PreviewType(
    "pdfs",
    "make_pdf_previews",
    {"text": ("text/plain; charset=utf-8",), "preview": ("image/jpeg",)},
)
VIDEOS = PreviewType(
    "videos",
    "make_video_previews",
    {"poster": ("image/jpeg",), "clip": ("video/mp4",)},
    is_slow=True,
)

PREVIEW_TYPES: dict[str, PreviewType] = {
    "image/jpeg": IMAGES,
    "image/png": IMAGES,
    "image/webp": IMAGES,
    "image/avif": IMAGES,
    "image/gif": IMAGES,
    "application/pdf": PDFS,
    "video/mp4": VIDEOS,
    "video/quicktime": VIDEOS,
    "video/3gpp": VIDEOS,
    "video/3gpp2": VIDEOS,
    "video/webm": VIDEOS,
    "video/x-matroska": VIDEOS,
    "video/x-msvideo": VIDEOS,
    "video/mpeg": VIDEOS,
    "video/mp2t": VIDEOS,
}
