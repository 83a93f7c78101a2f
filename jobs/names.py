"""File names that Windows, macOS and Linux can all hold, and that mislead nobody."""

from __future__ import annotations

import re
import unicodedata

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
UNHOLDABLE = re.compile(f'[{_CONTROL}<>:"|?*]')  # by one of the systems

BLANKS = "".join(c for c in map(chr, range(0x3001)) if c.isspace())
INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
# At an end nobody sees these, and Windows drops dots and spaces there.
ENDS = f".{BLANKS}{INVISIBLE}" + "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
SUFFIX = re.compile(r"(?<=.)(\.tar)?\.[^.]+\Z", re.IGNORECASE | re.DOTALL)
# Windows opens a device for these, whatever follows the first dot.
DEVICE = re.compile(
    r"(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\.|\Z)",
    re.IGNORECASE,
)
_WITHOUT_INVISIBLE = dict.fromkeys(map(ord, INVISIBLE))

VIRAMA = 9  # the canonical combining class of what joins Indic consonants
ZERO_WIDTH_JOINER = "\u200d"
# Joiners, halfwidth voiced marks, skin tones, tags: each belongs to what is before it.
EXTENDING = re.compile("[\u200c\u200d\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
FLAG_LETTER = re.compile("[\U0001f1e6-\U0001f1ff]")  # two of them are a flag
FLAG_LETTERS_AT_END = re.compile("[\U0001f1e6-\U0001f1ff]*$")
# Jamo that did not compose to a syllable.
JAMO = re.compile(
    "[\u1100-\u115f\ua960-\ua97c][\u1100-\u11a7\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7c6]"
    "|[\uac00-\ud7a3\u1160-\u11ff\ud7b0-\ud7fb][\u1160-\u11ff\ud7b0-\ud7fb]"
)


def safe_name(name: str) -> str:
    """Return the last part of a path, as a name that every system can hold.

    What one of them cannot hold becomes `_`; a device of Windows such as `CON` gets one in front.
    Bidi controls are removed, and so are blanks around the name and dots behind it. Never empty, at
    most 180 bytes of UTF-8.
    """
    # Bidi controls go first, since one between a letter and its accent would keep the two apart.
    composed = unicodedata.normalize("NFC", BIDI.sub("", name))
    base = composed.replace("\\", "/").rstrip("/").rpartition("/")[2]
    fitting = _fitting(UNHOLDABLE.sub("_", base.strip(BLANKS).rstrip(ENDS))) or "file"
    return _fitting(f"_{fitting}") if DEVICE.match(fitting) else fitting


def split_name(name: str) -> tuple[str, str]:
    """Return the stem and the suffix, `.tar.gz` as one. `.gitignore` has no suffix."""
    found = SUFFIX.search(name)
    if not found or len(found[0].encode()) > MAX_SUFFIX_BYTES:
        return name, ""
    return name[: found.start()], found[0]


def comparable(name: str) -> str:
    """Return what two names have in common that are the same file on some system.

    That is, on one that ignores case, how accents are composed, or characters that nobody sees.
    """
    folded = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFD", folded.translate(_WITHOUT_INVISIBLE))


def _fitting(name: str) -> str:
    """Cut the stem of a name that is too long."""
    stem, suffix = split_name(name)
    return (_cut(stem, MAX_NAME_BYTES - len(suffix.encode())) + suffix).rstrip(ENDS)


def _cut(text: str, max_bytes: int) -> str:
    """Return the beginning of a text that fits, without a character that does not fit whole.

    Python does not tell where characters end (UAX 29): this knows marks, emoji, flags, Indic
    conjuncts and Hangul. A first character that is too long itself is cut between code points.
    """
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    end = longest = len(encoded[:max_bytes].decode(errors="ignore"))
    while end and _is_within(text, end):
        end -= 1
    return text[: end or longest]


def _is_within(text: str, at: int) -> bool:
    """Whether this place is within a character, as people count them."""
    before, after = text[at - 1], text[at]
    if unicodedata.category(after).startswith("M") or EXTENDING.match(after):
        return True
    if before == ZERO_WIDTH_JOINER or unicodedata.combining(before) == VIRAMA:
        return True
    if FLAG_LETTER.match(after):
        letters = FLAG_LETTERS_AT_END.search(text, 0, at)
        return letters is not None and len(letters[0]) % 2 == 1
    return JAMO.match(before + after) is not None
