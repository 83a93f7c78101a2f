"""What must follow a short signature, since many texts begin with `BM` or `ID3`."""

from __future__ import annotations

import re
from collections.abc import Callable

from jobs.lib.text_detection import BINARY

BMP = re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)  # sizes of headers
ID3 = re.compile(rb"ID3[\x02-\x04][^\xff].[\x00-\x7f]{4}", re.DOTALL)
BLANK = rb"(?:\s|#[^\n]*\n)+"
PNM = re.compile(rb"P[1-6]%b\d+%b\d+\s" % (BLANK, BLANK))
PAM = re.compile(rb"P7\s*\n(?:#[^\n]*\n)*(?:WIDTH|HEIGHT|DEPTH|MAXVAL|TUPLTYPE) ")
APP_IMAGE = re.compile(rb"\x7fELF.{4}AI", re.DOTALL)
XBM = re.compile(rb"#define[ \t]+\w*width[ \t]+\d+\s+#define[ \t]+\w*height[ \t]")
HEADER = rb"[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*"
MAIL = re.compile(rb"(?:N?#! ?rnews [^\n]*\n)?%b(?:%b|\r?\n)" % (HEADER, HEADER))
BINHEX = re.compile(rb"\(This file must be converted")
DESKTOP_ENTRY = re.compile(rb"(?:#[^\n]*\n|\s)*\[(?:KDE )?Desktop ")


def _is_gif(head: bytes) -> bool:
    """Return whether a block follows the logical screen and its color table."""
    if len(head) < 13 or not BINARY.search(head):
        return False
    colours = 3 << ((head[10] & 7) + 1) if head[10] & 0x80 else 0
    return head[13 + colours : 14 + colours] in (b"", b"\x21", b"\x2c", b"\x3b")


def _matches(*patterns: re.Pattern[bytes]) -> Callable[[bytes], bool]:
    return lambda head: any(pattern.match(head) for pattern in patterns)


STRUCTURES: dict[str, Callable[[bytes], bool]] = {
    "image/x-ms-bmp": _matches(BMP),
    "image/bmp": _matches(BMP),
    "image/gif": _is_gif,
    "audio/mpeg": lambda head: not head.startswith(b"ID3") or bool(ID3.match(head)),
    "image/x-portable-*": _matches(PNM, PAM),
    "image/x-xbitmap": _matches(XBM),
    "message/*": _matches(MAIL),
    "application/x-iso9660-appimage": _matches(APP_IMAGE),
    "*/binhex": _matches(BINHEX),
    "application/x-desktop": _matches(DESKTOP_ENTRY),
}
