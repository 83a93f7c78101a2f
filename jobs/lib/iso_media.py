"""The types of ISO base media files (ISO 14496-12), such as MP4, HEIC and JPEG 2000."""

from __future__ import annotations

import re

# The file type box has brands, the major one first.
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
AVIF_BRANDS = {b"avif", b"avis"}
OF_MANY_CODECS = {b"mif1", b"mif2", b"msf1", b"miaf", b"MiHB", b"MiHE", b"MA1A", b"MA1B", b"1pic"}
OF_SOUND = {b"M4A ", b"M4B ", b"M4P "}
JPEG_2000 = b"jP  \r\n\x87\n"  # ISO 15444-1: what is in the first box
OF_JPEG_2000 = {b"jpx ": "image/jpx", b"jpm ": "image/jpm", b"mjp2": "video/mj2"}
OF_ITS_OWN = {b"qt  ": "video/quicktime", b"crx ": "image/x-canon-cr3"}
OF_PHONES = {
    b"3g2": "video/3gpp2",
    b"3gp": "video/3gpp",
    b"3ge": "video/3gpp",
    b"3gr": "video/3gpp",
}
OF_VIDEO = re.compile(rb"iso[0-9a-m]|mp4[0-9]|avc[0-9]|hvc1|hev1|dash|cmf[a-z]|M4V.|f4v |XAVC|MSNV")


def iso_media_type(head: bytes) -> str:
    """Return the type of an ISO base media file; empty if it is none or its brand is unknown."""
    if head[4:12] == JPEG_2000:
        return OF_JPEG_2000.get(head[20:24], "image/jp2")
    if head[4:8] != b"ftyp":
        return ""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[place : place + 4] for place in range(16, end - 3, 4))]
    major = brands[0]
    if major in AVIF_BRANDS | HEIC_BRANDS | OF_MANY_CODECS:
        return next((_of_picture(each) for each in brands if _of_picture(each)), "image/heif")
    if major in OF_SOUND:
        return "audio/mp4"
    if found := OF_ITS_OWN.get(major) or OF_PHONES.get(major[:3]):
        return found
    return "video/mp4" if OF_VIDEO.fullmatch(major) else ""


def _of_picture(brand: bytes) -> str:
    if brand in AVIF_BRANDS:
        return "image/avif"
    return "image/heic" if brand in HEIC_BRANDS else ""
