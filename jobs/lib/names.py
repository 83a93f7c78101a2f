"""File names that Windows, macOS and Linux can all hold, and that mislead nobody."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import regex

MAX_NAME_BYTES = 180  # the shortest limit met is 255; this leaves room for " (123)" and a folder
MAX_SUFFIX_BYTES = 20  # a longer "suffix" is a sentence with a dot in it

# Unicode's Bidi_Control, and the deprecated controls beside them: they reorder what people read.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"
# Controls, line ends, halves of pairs, and code points that will never be characters. Not all of
# category C: joiners belong to Persian words and to emoji, and what is unassigned may be an emoji
# that is newer than this Python.
_NEVER = "".join(
    chr(plane + last) for plane in range(0, 0x11_0000, 2**16) for last in (65534, 65535)
)
_CONTROL = f"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef{_NEVER}"
BIDI = re.compile(f"[{_BIDI}]")
MISLEADING = re.compile(f"[{_CONTROL}{_BIDI}]")  # on a page, in a terminal or in a mail
RESERVED = re.compile(f'[{_CONTROL}<>:"|?*]')  # by at least one system

BLANKS = "".join(c for c in map(chr, range(0x3001)) if c.isspace())
INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
# Nobody sees these at the end of a name, and Windows drops dots and spaces there.
TRAILING = f".{BLANKS}{INVISIBLE}" + "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
SUFFIX = re.compile(r"(?<=.)(\.tar)?\.[^.]+\Z", re.IGNORECASE | re.DOTALL)
# Windows opens a device for these, whatever follows the first dot.
RESERVED_NAME = re.compile(
    r"(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\.|\Z)",
    re.IGNORECASE,
)
GRAPHEME = regex.compile(r"\X")
_WITHOUT_INVISIBLE = dict.fromkeys(map(ord, INVISIBLE))


def safe_name(name: str) -> str:
    """Return the last part of a path, as a name that every system can hold.

    What one of them cannot hold becomes `_`; a device of Windows such as `CON` gets one in front.
    Bidi controls are removed, and so are blanks around the name and dots behind it. Never empty, at
    most 180 bytes of UTF-8.
    """
    # Bidi controls go first, since one between a letter and its accent would keep the two apart.
    composed = unicodedata.normalize("NFC", BIDI.sub("", name))
    base = composed.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = _shortened(RESERVED.sub("_", base.strip(BLANKS).rstrip(TRAILING))) or "file"
    return _shortened(f"_{name}") if RESERVED_NAME.match(name) else name


def safe_path(path: str, max_chars: int) -> str:
    """Return a name with its folders, each of them a safe name; empty if there is none.

    Nothing gets out of the first folder: `../a.txt` is `a.txt`. If it is too long, the first
    folders are left out.
    """
    parts = path.replace("\\", "/").split("/")
    names = [safe_name(part) for part in parts if BIDI.sub("", part).strip(TRAILING)]
    while len(path := "/".join(names)) > max_chars:
        names = names[1:]
    return path


def name_of_several(paths: Sequence[str]) -> str:
    """Return a name for several files: the folder of all of them, or 'report.pdf and 2 more'."""
    folders = {path.rpartition("/")[0] for path in paths}
    if len(folders) == 1 and (folder := folders.pop().rpartition("/")[2]):
        return safe_name(folder)
    first = safe_name(paths[0])
    if len(paths) == 1:
        return split_name(first)[0]
    more = f" and {len(paths) - 1:,} more"
    return _cut(first, MAX_NAME_BYTES - len(more) - MAX_SUFFIX_BYTES) + more


def split_name(name: str) -> tuple[str, str]:
    """Return the stem and the suffix, `.tar.gz` as one. `.gitignore` has no suffix."""
    found = SUFFIX.search(name)
    if not found or len(found[0].encode()) > MAX_SUFFIX_BYTES:
        return name, ""
    return name[: found.start()], found[0]


def name_collision_key(name: str) -> str:
    """Return a key that is equal for names that are the same file on some system.

    The key ignores case, how accents are composed, and characters that nobody sees.
    """
    folded = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFD", folded.translate(_WITHOUT_INVISIBLE))


def _shortened(name: str) -> str:
    """Return the name, its stem cut if it is too long."""
    stem, suffix = split_name(name)
    return (_cut(stem, MAX_NAME_BYTES - len(suffix.encode())) + suffix).rstrip(TRAILING)


def _cut(text: str, max_bytes: int) -> str:
    """Return the longest beginning of the text that fits and ends between two graphemes (UAX 29).

    A first grapheme that is too long itself is cut between code points.
    """
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    longest = encoded[:max_bytes].decode(errors="ignore")
    ends = [match.end() for match in GRAPHEME.finditer(text[: len(longest) + 1])]
    whole = [end for end in ends if end <= len(longest)]
    return text[: whole[-1]] if whole else longest
