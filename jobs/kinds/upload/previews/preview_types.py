"""What is made of which content type, and by which module. Imports none of them: each brings its
parser along, and a helper process needs one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from jobs.kinds.upload.previews.outcome import Outcome, Work

PICTURE = ("image/jpeg", "image/webp")


@dataclass(frozen=True)
class Maker:
    """`makes` is all that may come of it: content types by role."""

    module: str
    makes: dict[str, tuple[str, ...]]
    is_patient: bool = False

    def load(self) -> Callable[[Work], Outcome]:
        make: Callable[[Work], Outcome] = import_module(
            f"jobs.kinds.upload.previews.{self.module}"
        ).make
        return make


IMAGES = Maker("images", {"thumbnail": PICTURE, "medium": PICTURE, "large": PICTURE})
PDFS = Maker("pdfs", {"text": ("text/plain; charset=utf-8",), "preview": ("image/jpeg",)})
VIDEOS = Maker("videos", {"poster": ("image/jpeg",), "clip": ("video/mp4",)}, is_patient=True)

MAKERS: dict[str, Maker] = {
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
