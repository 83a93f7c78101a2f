"""Whether a file is text, from its first bytes."""

from __future__ import annotations

import re

BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # WHATWG, MIME sniffing: binary data bytes
MOSTLY = 0.7  # share of ASCII in a text with a single-byte encoding
SOME = 0.05  # the same in another alphabet, if the name says that it is text
MARKS = {  # the longer ones first
    b"\xff\xfe\0\0": "utf-32-le",
    b"\0\0\xfe\xff": "utf-32-be",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}
END_OF_FILE = b"\x1a"  # of DOS


def detect_text(head: bytes, *, is_named_text: bool) -> bool:
    """Return whether it is text in Unicode, in mostly ASCII, or in the encoding of a region."""
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            return _decodes(head[len(mark) :], encoding)
    if is_named_text and b"\0" in head[:2]:
        return _decodes(head, "utf-16-le" if head[0] else "utf-16-be")
    head = head.removesuffix(END_OF_FILE)
    if BINARY.search(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not the end, where a character may be cut
            least = SOME if is_named_text else MOSTLY
            return sum(byte < 0x80 for byte in head) >= least * len(head)
    return True


def _decodes(head: bytes, encoding: str) -> bool:
    text = head[: len(head) & ~3 or len(head)].decode(encoding, "replace")
    return "\ufffd" not in text[:-1] and not BINARY.search(text.encode(errors="replace"))
