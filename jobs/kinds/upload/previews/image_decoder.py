"""Decode a picture within the memory limit: upright, in sRGB, reduced.

Imported only by the helper.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from io import BytesIO
from math import isqrt
from typing import IO

# Loaded here, or Pillow would load all its fifty formats at the first AVIF or WebP.
from PIL import AvifImagePlugin, Image, ImageCms, ImageFile, WebPImagePlugin
from PIL.GifImagePlugin import GifImageFile
from PIL.Image import Transpose

from jobs.errors import FileUnreadable, PictureTooLarge
from jobs.kinds.upload.previews import gif, jpeg, png, webp
from jobs.kinds.upload.previews.preview_result import Work
from jobs.kinds.upload.previews.sizes import LARGE, THUMBNAIL

FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": WebPImagePlugin.WebPImageFile.format,
    "image/avif": AvifImagePlugin.AvifImageFile.format,
}
# Their decoders hold several copies of a picture; so many pixels fit into a GiB.
LARGE_DECODERS, LARGE_DECODER_PIXELS = {"image/webp", "image/avif"}, 36_000_000
CLEAR_COLOUR_PIXELS = 36_000_000  # of a 16-bit PNG, which is read twice; of a GIF as RGBA
CMYK_PIXELS = 100_000_000  # a progressive JPEG needs eight bytes for each
STRIP_PIXELS = 4_000_000
SRGB = ImageCms.createProfile("sRGB")
ORIENTATION = 0x0112  # the EXIF tag
UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
ROTATED_BY_90 = {5, 6, 7, 8}
ImageFile.LOAD_TRUNCATED_IMAGES = True  # as browsers do
ZERO_IF_TRUNCATED = {"image/png", "image/gif", "image/jpeg"}
BROKEN_PIXELS = (SyntaxError, ValueError, LookupError, OSError, struct.error)
BROKEN_EXIF = (*BROKEN_PIXELS, TypeError, OverflowError)


def decode_image(file: IO[bytes], work: Work) -> tuple[int, int, Image.Image]:
    """Return width, height, and the picture: upright, in sRGB, and possibly reduced."""
    size, number, picture, is_blank = _decoded(file, work)
    if is_blank and _is_truncated(file, work):
        raise FileUnreadable("The picture ends before any of it can be shown.")
    if number in UPRIGHT:
        picture = picture.transpose(UPRIGHT[number])
    return *(size[::-1] if number in ROTATED_BY_90 else size), picture


def _decoded(file: IO[bytes], work: Work) -> tuple[tuple[int, int], int, Image.Image, bool]:
    """Return the stored size, the orientation, the picture, and whether it is blank."""
    with _opened(file, work) as source:
        size = source.size
        # The JPEG decoder can decode at a lower resolution. EXIF stays readable.
        source.draft(None, _enough(source))
        source.load()
        is_blank = work.content_type in ZERO_IF_TRUNCATED and _is_zero(source)
        number = _orientation(source)
        profile = source.info.get("icc_profile")
        picture = _as_srgb(_reduced(_with_transparency(source, file)), profile)
    return size, number, picture, is_blank


def _is_zero(picture: Image.Image) -> bool:
    extrema = picture.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(band == (0, 0) for band in bands)


def _is_truncated(file: IO[bytes], work: Work) -> bool:
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        file.seek(0)
        with _opened(file, work) as source:
            source.load()
    except BROKEN_PIXELS as error:
        return not (work.content_type == "image/jpeg" and str(error).startswith(jpeg.CUT_OFF))
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = True
    return False


def _opened(file: IO[bytes], work: Work) -> Image.Image:
    """Open the file, with the decoder of its type only. Does not decode pixels yet."""
    most = work.limits.max_pixels
    if work.content_type in LARGE_DECODERS:
        most = min(most, LARGE_DECODER_PIXELS)
    # WebP allocates memory on opening, so Pillow must check it: at twice this number.
    Image.MAX_IMAGE_PIXELS = most if work.content_type == "image/webp" else None
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each would have its own memory
    try:
        content = webp.webp_with_true_size(file) if work.content_type == "image/webp" else file
        picture = Image.open(content, formats=[FORMATS[work.content_type]])
    except Image.DecompressionBombError as error:
        raise PictureTooLarge(f"The picture has too many pixels. {_at_most(most)}") from error
    if picture.mode == "CMYK":
        most = min(most, CMYK_PIXELS)
    width, height = picture.size
    if width * height > most:
        raise PictureTooLarge(f"{width:,} by {height:,} pixels are too many. {_at_most(most)}")
    return picture


def _at_most(pixels: int) -> str:
    side = f"{isqrt(pixels):,}"
    return f"Previews are made of up to {side} by {side} pixels."


def _enough(picture: Image.Image) -> tuple[int, int]:
    """Return the size to decode: at least twice that of each preview, for quality."""
    factor = _factor(picture)
    return picture.width // factor, picture.height // factor


def _factor(picture: Image.Image) -> int:
    sides = sorted(picture.size)
    return max(min(sides[0] // (2 * THUMBNAIL), sides[1] // (2 * LARGE)), 1)


def _orientation(picture: Image.Image) -> int:
    picture.info.pop("xmp", None)  # Pillow would read it, browsers do not
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except BROKEN_EXIF:
        return 1  # cameras and editors write broken EXIF around good pictures


def _with_transparency(source: Image.Image, file: IO[bytes]) -> Image.Image:
    is_small = source.width * source.height <= CLEAR_COLOUR_PIXELS
    if source.mode == "RGB" and png.CLEAR_16 in source.info and is_small:
        return png.clear_png_colour(source, file)
    if isinstance(source, GifImageFile) and is_small:
        return gif.clear_gif_background(source)
    return source


def _reduced(source: Image.Image) -> Image.Image:
    """Reduce the picture strip by strip: a second copy of the whole would be too large."""
    factor = _factor(source)
    rows = max(STRIP_PIXELS // (source.width * factor), 1) * factor
    strips = range(0, source.height, rows)
    reduced: Image.Image | None = None
    for top in strips:
        bottom = min(top + rows, source.height)
        strip = _simple(source.crop((0, top, source.width, bottom))).reduce(factor)
        if reduced is None:
            reduced = Image.new(strip.mode, (strip.width, -(-source.height // factor)))
        reduced.paste(strip, (0, top // factor))
    assert reduced is not None  # every picture has a row
    return reduced


def _simple(picture: Image.Image) -> Image.Image:
    if picture.mode == "I;16":
        picture = png.convert_grey_png(picture)
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture if picture.mode in ("L", "RGB", "CMYK") else picture.convert("RGB")


def _as_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert to sRGB, which is also the default without a profile; RGBA if transparent."""
    is_clear = picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255)
    if profile:
        # A profile that is broken, or of another mode, is ignored.
        with suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            mode = "RGBA" if picture.mode == "RGBA" else "RGB"
            converted = ImageCms.profileToProfile(picture, source, SRGB, outputMode=mode)
            picture = converted or picture
    return picture.convert("RGBA" if is_clear else "RGB")
