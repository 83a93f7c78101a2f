"""GIF as browsers show it: what the first frame does not cover is transparent.

Imported only by the helper.
"""

from __future__ import annotations

from PIL import Image, ImageChops
from PIL.GifImagePlugin import GifImageFile


def clear_gif_background(picture: GifImageFile) -> Image.Image:
    """Return the loaded picture, without the background color that no browser shows."""
    frame = picture.dispose_extent
    if frame is None or frame == (0, 0, *picture.size):
        return picture
    covered = Image.new("L", picture.size)
    covered.paste(255, frame)
    seen = picture.convert("RGBA")
    seen.putalpha(ImageChops.darker(seen.getchannel("A"), covered))
    return seen
