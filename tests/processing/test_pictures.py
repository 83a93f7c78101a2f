"""Three sizes of a picture: upright, with the right colours and without location metadata."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageCms

from jobs.errors import FileUnreadable, PictureTooLarge
from jobs.kinds.upload.previews import PreviewResult
from jobs.kinds.upload.previews.preview_maker import has_previews
from jobs.kinds.upload.previews.preview_types import PREVIEW_TYPES
from tests.processing.conftest import Process
from tests.processing.hostile import MEGABYTE, chunk, png, zeros

FORMATS = {"JPEG", "PNG", "WEBP", "AVIF", "GIF"}
RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 200, 30), (30, 30, 200), (120, 120, 120)
ORIENTATION, GPS, MAKER = 0x0112, 0x8825, 0x010F
# The stored colours (upper left, upper right, lower left, lower right) for each value of EXIF's
# orientation, so that red is shown in the upper left.
STORED = {
    1: (RED, GREEN, BLUE, GREY),
    2: (GREEN, RED, GREY, BLUE),
    3: (GREY, BLUE, GREEN, RED),
    4: (BLUE, GREY, RED, GREEN),
    5: (RED, BLUE, GREEN, GREY),
    6: (GREEN, GREY, RED, BLUE),
    7: (GREY, GREEN, BLUE, RED),
    8: (BLUE, RED, GREY, GREEN),
}


def saved(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def quarters(size: tuple[int, int], colours: tuple[tuple[int, int, int], ...]) -> Image.Image:
    small = Image.new("RGB", (2, 2))
    small.putdata(colours)
    return small.resize(size, Image.Resampling.NEAREST)


def opened(result: PreviewResult, role: str) -> Image.Image:
    (made,) = [each for each in result.previews if each.role == role]
    with Image.open(made.path) as picture:
        assert Image.MIME[picture.format or ""] == made.content_type
        picture.load()
    return picture


def is_like(colour: Any, other: tuple[int, ...], within: int = 25) -> bool:
    return all(abs(a - b) <= within for a, b in zip(colour, other, strict=True))


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_each_format_has_three_sizes(form: str, make: Process, messages: list[str]) -> None:
    content = saved(quarters((2400, 1200), STORED[1]), form)

    result = make(content, f"image/{form.lower()}")

    assert result.facts == {"width": 2400, "height": 1200}
    sizes = {each.role: opened(result, each.role).size for each in result.previews}
    assert sizes == {"thumbnail": (200, 200), "medium": (800, 400), "large": (1920, 960)}
    assert is_like(opened(result, "medium").getpixel((10, 10)), RED)
    assert messages[0] == "Reading the picture"


@pytest.mark.parametrize(
    ("size", "thumbnail", "medium", "large"),
    [
        ((100, 50), (50, 50), (100, 50), (100, 50)),
        ((1, 1), (1, 1), (1, 1), (1, 1)),
        ((300, 1000), (200, 200), (240, 800), (300, 1000)),
        ((9000, 3), (3, 3), (800, 1), (1920, 1)),
        ((4001, 3001), (200, 200), (800, 600), (1920, 1440)),
    ],
)
def test_no_preview_is_larger_than_its_picture(
    size: tuple[int, int],
    thumbnail: tuple[int, int],
    medium: tuple[int, int],
    large: tuple[int, int],
    make: Process,
) -> None:
    result = make(saved(Image.new("RGB", size)), "image/png")

    assert opened(result, "thumbnail").size == thumbnail
    assert opened(result, "medium").size == medium
    assert opened(result, "large").size == large


def test_a_thumbnail_shows_the_middle(make: Process) -> None:
    picture = Image.new("RGB", (900, 300), RED)
    picture.paste(BLUE, (300, 0, 600, 300))

    result = make(saved(picture), "image/png")

    thumbnail = opened(result, "thumbnail")
    assert all(is_like(thumbnail.getpixel((x, 100)), BLUE) for x in (5, 100, 195))


@pytest.mark.parametrize("number", STORED)
@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG"])
def test_a_picture_is_shown_upright(number: int, form: str, make: Process) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = number
    stored = (400, 600) if number >= 5 else (600, 400)

    result = make(saved(quarters(stored, STORED[number]), form, exif=exif), f"image/{form.lower()}")

    assert result.facts == {"width": 600, "height": 400}
    large = opened(result, "large")
    corners = [large.getpixel(place) for place in ((9, 9), (590, 9), (9, 390), (590, 390))]
    assert all(map(is_like, corners, STORED[1]))


def test_previews_have_no_metadata(make: Process) -> None:
    exif = Image.Exif()
    exif[MAKER] = "SecretCamera"
    exif.get_ifd(GPS)[2] = (52.0, 31.0, 12.5)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = {"exif": exif, "icc_profile": profile, "comment": b"SecretComment"}
    content = saved(quarters((600, 400), STORED[1]), "JPEG", **more)
    assert b"SecretCamera" in content

    result = make(content, "image/jpeg")

    for each in result.previews:
        made = each.path.read_bytes()
        assert not [mark for mark in (b"Exif", b"Secret", b"ICC_PROFILE") if mark in made]
        assert not opened(result, each.role).getexif()


def test_previews_with_transparency_are_webp(make: Process) -> None:
    picture = Image.new("RGBA", (600, 400), (*RED, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 300, 400))

    result = make(saved(picture), "image/png")

    assert {each.content_type for each in result.previews} == {"image/webp"}
    large = opened(result, "large")
    assert large.getpixel((10, 10))[3] == 0  # type: ignore[index]
    assert is_like(large.getpixel((590, 200)), (*RED, 255))


def test_an_opaque_picture_with_an_alpha_channel_is_jpeg(make: Process) -> None:
    result = make(saved(Image.new("RGBA", (600, 400), (*RED, 255))), "image/png")

    assert {each.content_type for each in result.previews} == {"image/jpeg"}


def palette_with_a_hole() -> bytes:
    picture = Image.new("P", (60, 40), 1)
    picture.putpalette([0, 0, 0, *RED])
    picture.paste(0, (0, 0, 30, 40))
    return saved(picture, transparency=0)


@pytest.mark.parametrize(
    ("content", "content_type", "shown"),
    [
        (saved(Image.new("L", (60, 40), 120)), "image/png", GREY),
        (saved(Image.new("I;16", (60, 40), 120 * 256)), "image/png", GREY),
        (saved(Image.new("LA", (60, 40), (120, 128))), "image/png", (*GREY, 128)),
        (saved(Image.new("1", (60, 40), 1)), "image/png", (255, 255, 255)),
        (saved(quarters((60, 40), (BLUE,) * 4).quantize(4)), "image/png", BLUE),
        (palette_with_a_hole(), "image/png", (*RED, 255)),
        (saved(Image.new("CMYK", (60, 40), (0, 255, 255, 0)), "JPEG"), "image/jpeg", (255, 0, 0)),
        (saved(Image.new("L", (60, 40), 120), "JPEG"), "image/jpeg", GREY),
    ],
    ids=["grey", "16-bit", "grey-alpha", "1-bit", "palette", "hole", "cmyk", "grey-jpeg"],
)
def test_each_colour_format_is_shown_correctly(
    content: bytes, content_type: str, shown: tuple[int, ...], make: Process
) -> None:
    result = make(content, content_type)

    assert is_like(opened(result, "large").getpixel((50, 20)), shown)


def test_colours_are_converted_to_srgb(make: Process) -> None:
    """Red is stored as green in a space with both swapped; a LAB profile is ignored for RGB."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = swapped.index(b"rXYZ"), swapped.index(b"gXYZ")
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    stored = Image.new("RGB", (60, 40), GREEN)

    swapped_seen, lab_seen = (
        opened(make(saved(stored, icc_profile=bytes(profile)), "image/png"), "large")
        for profile in (swapped, lab)
    )

    assert is_like(swapped_seen.getpixel((9, 9)), RED)
    assert is_like(lab_seen.getpixel((9, 9)), GREEN)


def test_the_first_frame_of_an_animation_is_shown(make: Process) -> None:
    first, second = (Image.new("RGB", (60, 40), colour) for colour in (RED, BLUE))

    result = make(saved(first, "GIF", save_all=True, append_images=[second]), "image/gif")

    assert is_like(opened(result, "large").getpixel((9, 9)), RED)


def with_chunk(kind: bytes, content: bytes, *, is_whole: bool = True) -> bytes:
    """Return a PNG with this chunk after its header; its checksum is wrong unless `is_whole`."""
    honest = saved(quarters((600, 400), STORED[1]))
    added = chunk(kind, content)
    if not is_whole:
        added = added[:-1] + bytes([added[-1] ^ 0xFF])
    return honest[:33] + added + honest[33:]


TEXT = zlib.compress(random.Random(7).randbytes(600_000).hex().encode())


@pytest.mark.parametrize(
    "content",
    [
        with_chunk(b"zTXt", b"mxfile\0\0" + TEXT),
        with_chunk(b"iTXt", b"mxfile\0\1\0\0\0" + TEXT),
        with_chunk(b"zTXt", b"mxfile\0\7"),
        with_chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1), is_whole=False),
        with_chunk(b"tEXt", b"a\0b", is_whole=False),
        with_chunk(b"tRNS", bytes(6), is_whole=False),
        with_chunk(b"tRNS", b"\0"),
        with_chunk(b"gAMA", b"a"),
        with_chunk(b"cHRM", b"a"),
        with_chunk(b"sRGB", b""),
        with_chunk(b"iCCP", b"a\0\1a"),
        with_chunk(b"eXIf", b"abc"),
        with_chunk(b"acTL", b"a"),
        with_chunk(b"fcTL", b"a"),
        with_chunk(b"abCd", b"a"),
    ],
    ids=lambda content: content[37:41].decode(),
)
def test_broken_ancillary_chunks_are_ignored(content: bytes, make: Process) -> None:
    result = make(content, "image/png")

    large = opened(result, "large")
    assert [is_like(large.getpixel((x, 9)), STORED[1][x // 300]) for x in (9, 590)] == [True] * 2


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF"])
def test_a_truncated_picture_shows_its_beginning(form: str, make: Process) -> None:
    whole = saved(Image.effect_noise((600, 400), 90).convert("RGB"), form)
    marked = saved(quarters((600, 400), STORED[1]), form)

    for content in (marked[:-2], whole[: len(whole) // 2]):
        result = make(content, f"image/{form.lower()}")
        assert opened(result, "large").size == (600, 400)

    large = opened(make(marked[:-2], f"image/{form.lower()}"), "large")
    assert is_like(large.getpixel((9, 9)), RED)
    assert is_like(large.getpixel((590, 390)), GREY)


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_picture_truncated_before_its_pixels_has_no_previews(form: str, make: Process) -> None:
    content = saved(Image.effect_noise((600, 400), 90).convert("RGB"), form)
    begins = {"PNG": b"IDAT", "GIF": b"\x2c\0\0\0\0"}[form]

    with pytest.raises(FileUnreadable):
        make(content[: content.index(begins) + 14], f"image/{form.lower()}")


@pytest.mark.parametrize("colour", [(0, 0, 0), (128, 128, 128), (255, 255, 255)])
def test_a_picture_of_one_colour_is_shown(colour: tuple[int, int, int], make: Process) -> None:
    picture = Image.new("RGB", (60, 40), colour)
    content = saved(picture)
    check = chunk(b"pHYs", bytes(9))[:-1] + b"?"

    for whole in (content, content[:33] + check + content[33:]):
        assert is_like(opened(make(whole, "image/png"), "large").getpixel((9, 9)), colour)
    for form in ("JPEG", "GIF"):
        large = opened(make(saved(picture, form)[:-1], f"image/{form.lower()}"), "large")
        assert is_like(large.getpixel((9, 9)), colour)


def with_segment(marker: int, content: bytes) -> bytes:
    """Return a JPEG that begins with a segment of metadata."""
    whole = saved(quarters((600, 400), STORED[1]), "JPEG")
    return whole[:2] + struct.pack(">HH", marker, len(content) + 2) + content + whole[2:]


def exif_orientation(kind: int, value: bytes) -> bytes:
    return b"Exif\0\0MM" + struct.pack(">HIHHHI", 42, 8, 1, ORIENTATION, kind, 1) + value + bytes(4)


@pytest.mark.parametrize(
    ("marker", "content"),
    [
        (0xFFE0, b"JF"),
        (0xFFE0, b"JFIF"),
        (0xFFE1, b"Exif\0\0MM"),
        (0xFFE1, exif_orientation(11, struct.pack(">f", float("inf")))),
        (0xFFE1, b'http://ns.adobe.com/xap/1.0/\0<a tiff:Orientation="6"/>'),
        (0xFFE2, b"ICC_PROFILE\0"),
        (0xFFE2, b"ICC_PROFILE\0\1"),
        (0xFFE2, b"ICC_PROFILE\0\1\1broken"),
        (0xFFE2, b"MPF\0"),
        (0xFFED, b"Photoshop 3.0\x008BIM\4"),
        (0xFFEE, b"Adobe"),
        (0xFFEE, b"Adobe\0"),
    ],
)
def test_broken_metadata_of_a_jpeg_is_ignored(marker: int, content: bytes, make: Process) -> None:
    result = make(with_segment(marker, content), "image/jpeg")

    large = opened(result, "large")
    assert large.size == (600, 400)
    assert [is_like(large.getpixel((x, 9)), STORED[1][x // 300]) for x in (9, 590)] == [True] * 2


def test_an_undecodable_jpeg_has_no_preview(make: Process) -> None:
    content = saved(Image.effect_noise((600, 400), 90).convert("RGB"), "JPEG")

    for broken in (content.replace(b"\xff\xc0", b"\xff\xc5", 1), b"\xff\xd8" + content):
        with pytest.raises(FileUnreadable):
            make(broken, "image/jpeg")


def test_a_webp_whose_header_counts_too_many_bytes_is_shown(make: Process) -> None:
    content = saved(quarters((600, 400), STORED[1]), "WEBP")

    for more in (0, 1000):  # a common mistake is to count the whole file
        size = struct.pack("<I", len(content) + more)
        large = opened(make(content[:4] + size + content[8:], "image/webp"), "large")
        assert is_like(large.getpixel((9, 9)), RED)


@pytest.mark.parametrize("is_larger", [True, False])
def test_a_gif_is_transparent_outside_its_first_frame(is_larger: bool, make: Process) -> None:
    content = bytearray(saved(Image.new("RGB", (40, 40), RED), "GIF"))
    if is_larger:
        content[6:10] = struct.pack("<HH", 80, 40)

    large = opened(make(bytes(content), "image/gif"), "large")

    assert large.mode == ("RGBA" if is_larger else "RGB")
    assert is_like(large.getpixel((9, 9))[:3], RED)  # type: ignore[index]
    if is_larger:
        assert [large.getpixel((x, 9))[3] for x in (9, 70)] == [255, 0]  # type: ignore[index]


def test_a_png_with_more_transparency_than_colours_is_shown(make: Process) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 3, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(RED + BLUE)) + chunk(b"tRNS", b"\0\xff" * 200)
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0\0\1\1" * 4))
    content = b"\x89PNG\r\n\x1a\n" + header + palette + pixels + chunk(b"IEND", b"")

    large = opened(make(content, "image/png"), "large")

    assert [large.getpixel((x, 1))[3] for x in (0, 3)] == [0, 255]  # type: ignore[index]


def png_with_clear(bits: int, colours: int, row: bytes, clear: bytes) -> bytes:
    """Return a PNG with this row of four pixels, four times."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, bits, colours, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + row) * 4))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"tRNS", clear) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("bits", "colours", "row", "clear"),
    [
        (1, 0, b"\xc0", b"\0\1"),
        (1, 0, b"\x30", b"\0\0"),
        (1, 0, b"\x30", b"\xff\xfe"),  # only as many bits of each sample count as the depth says
        (2, 0, b"\xf0", b"\0\3"),
        (2, 0, b"\x5a", b"\0\1"),
        (4, 0, b"\x99\x88", b"\0\x09"),
        (8, 0, b"\x09\x09\x08\x08", b"\1\x09"),
        (8, 2, b"\x09\x09\x09" * 2 + b"\x08\x09\x09" * 2, b"\1\x09\0\x09\0\x09"),
        (16, 0, b"\x80\x12" * 2 + b"\x80\x13" * 2, b"\x80\x12"),
        (16, 0, b"\x80\x00" * 2 + b"\x00\x00" * 2, b"\x80\x00"),
        (16, 2, b"\x80\x12\0\1\0\2" * 2 + b"\x80\x13\0\1\0\2" * 2, b"\x80\x12\0\1\0\2"),
    ],
)
def test_the_transparent_colour_of_a_png(
    bits: int, colours: int, row: bytes, clear: bytes, make: Process
) -> None:
    """See PNG 11.3.1.1."""
    result = make(png_with_clear(bits, colours, row, clear), "image/png")

    large = opened(result, "large")
    alpha = large.getchannel("A")
    assert [alpha.getpixel((x, 1)) for x in range(4)] == [0, 0, 255, 255]


def test_the_error_for_a_large_picture_has_the_limit(make: Process) -> None:
    content = saved(Image.new("1", (5000, 3000)))

    with pytest.raises(PictureTooLarge) as caught:
        make(content, "image/png", max_pixels=1_000_000)

    sentence = (
        "5,000 by 3,000 pixels are too many. Previews are made of up to 1,000 by 1,000 pixels."
    )
    assert str(caught.value) == sentence


@pytest.mark.slow
def test_the_largest_accepted_picture_has_previews(make: Process) -> None:
    content = png(12_000, 12_000, colours=6, pixels=zeros(577 * MEGABYTE))

    result = make(content, "image/png")

    assert opened(result, "large").size == (1920, 1920)


def test_types_that_may_carry_scripts_have_no_previews() -> None:
    assert not has_previews("image/svg+xml")
    assert not has_previews("text/html")
    assert not has_previews("image/tiff")
    assert all(map(has_previews, PREVIEW_TYPES))
