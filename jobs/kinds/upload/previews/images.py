"""A picture in three sizes, without its metadata. Imported only by the helper.

JPEG, which everything shows; WebP if it has transparency, since a photograph with a soft edge is
ten times as large as PNG, and every browser has shown WebP since 2020.
"""

from __future__ import annotations

from PIL import Image
from PIL.Image import Resampling

from jobs.kinds.upload.previews.image_decoder import decode_image
from jobs.kinds.upload.previews.preview_result import CreatedPreview, PreviewResult, Work
from jobs.kinds.upload.previews.sizes import (
    LARGE,
    MEDIUM,
    THUMBNAIL,
    size_inside,
    square_inside_size,
)

QUALITY = 82


def make_image_previews(work: Work) -> PreviewResult:
    """Create `large`, `medium`, and `thumbnail`: a square from the middle. Never enlarges.

    Uses the first frame of an animation. Raises PictureTooLarge, FileUnreadable.
    """
    work.say("Reading the picture")
    with work.source.open("rb") as file:
        width, height, picture = decode_image(file, work)
    work.say("Resizing the picture")
    large = _resized(picture, LARGE)
    smaller = {
        "large": large,
        "medium": _resized(large, MEDIUM),
        "thumbnail": _resized(picture.crop(square_inside_size(picture.size)), THUMBNAIL),
    }
    previews = tuple(_saved(each, role, work) for role, each in smaller.items())
    return PreviewResult(previews, {"width": width, "height": height})


def _resized(picture: Image.Image, most: int) -> Image.Image:
    return picture.resize(size_inside(picture.size, (most, most)), Resampling.LANCZOS)


def _saved(picture: Image.Image, role: str, work: Work) -> CreatedPreview:
    """Save the pixels only: EXIF, comments and profiles are not copied."""
    clear = picture.mode == "RGBA"
    path = work.folder / (f"{role}.webp" if clear else f"{role}.jpg")
    if clear:
        picture.save(path, "WEBP", quality=QUALITY, icc_profile=b"")
        return CreatedPreview(role, path, "image/webp")
    picture.save(path, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return CreatedPreview(role, path, "image/jpeg")
