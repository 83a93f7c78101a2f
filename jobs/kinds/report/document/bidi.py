"""Right-to-left words in a line that runs from left to right: in which order, and joined how.

Enough of Unicode's rules for a name or a sentence, without embeddings. Letters of Arabic are
joined; marks stay with their letter, though not always in the right place. Scripts that need more,
as those of India do, are drawn letter by letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from itertools import pairwise

RIGHT_TO_LEFT = {"R", "AL"}
NUMBERS = {"EN", "AN"}
# A number is read from left to right, and so is a date: a little more than Unicode asks for.
PIECE = re.compile(r"\d+(?:[-.,:/]\d+)*|.", re.DOTALL)
PAIRS = ("()", "[]", "{}", "<>", "«»", "‹›")
BRACKETS = {pair[1]: pair[0] for pair in PAIRS}
MIRRORED = BRACKETS | {pair[0]: pair[1] for pair in PAIRS}
TATWEEL = "\u0640"  # a stroke that lengthens a word
NON_JOINER, JOINER = "\u200c", "\u200d"  # not drawn: they part letters, or act as one beside them


def is_mixed(text: str) -> bool:
    return not text.isascii() and any(unicodedata.bidirectional(c) in RIGHT_TO_LEFT for c in text)


def visual(text: str) -> str:
    """The characters as they are drawn, from left to right."""
    text = _joined(text)
    drawn, at = [], 0
    for start, end in _turned(text):
        end = _closed(text, start, end)
        drawn += [text[at:start], _reversed(text[start:end])]
        at = end
    return "".join([*drawn, text[at:]])


def _turned(text: str) -> list[tuple[int, int]]:
    """What runs from right to left: from such a letter to the last, or number, before another."""
    found, start, end = [], -1, -1
    for at, direction in enumerate(map(unicodedata.bidirectional, text)):
        if direction in RIGHT_TO_LEFT:
            start, end = (at if start < 0 else start), at + 1
        elif start >= 0 and direction == "L":
            found.append((start, end))
            start = -1
        elif start >= 0 and (direction in NUMBERS or (direction == "NSM" and end == at)):
            end = at + 1
    return [*found, (start, end)] if start >= 0 else found


def _closed(text: str, start: int, end: int) -> int:
    """With the brackets after it that were opened in it."""
    while (closing := text[end : end + 1]) in BRACKETS:
        if text.count(BRACKETS[closing], start, end) <= text.count(closing, start, end):
            break
        end += 1
    return end


def _reversed(text: str) -> str:
    pieces: list[str] = []
    for piece in PIECE.findall(text):
        if pieces and unicodedata.combining(piece[0]):
            pieces[-1] += piece
        else:
            pieces.append(MIRRORED.get(piece, piece))
    return "".join(reversed(pieces))


def _forms() -> dict[str, dict[str, str]]:
    """How a letter looks, or the two of a ligature, by its place in a word; alone it is itself.

    Unicode tells it the other way round: of which letter a form is one.
    """
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for form in map(chr, range(0xFB50, 0xFEFD)):
        place, *codes = unicodedata.decomposition(form).split() or [""]
        letters = "".join(chr(int(code, 16)) for code in codes)
        is_lam_alef = len(letters) == 2 and form >= "\ufef5"
        if is_lam_alef or (len(letters) == 1 and place != "<isolated>"):
            found[letters].setdefault(place, form)
    return dict(found)


FORMS = _forms()
PLACES = {
    (False, False): "<isolated>",
    (False, True): "<initial>",
    (True, True): "<medial>",
    (True, False): "<final>",
}


def _joined(text: str) -> str:
    """Each letter in the form that its neighbours give it; marks are nobody's neighbours."""
    letters = [at for at, c in enumerate(text) if not unicodedata.combining(c)]
    drawn = list(text)
    follows = False  # the letter before reaches out for this one
    swallowed = -1
    for at, after in pairwise([*letters, len(text)]):
        if at == swallowed:
            continue
        letter, following = text[at], text[after : after + 1]
        leads = _reaches_on(letter) and _is_reached(following)
        if following and after == at + 1 and letter + following in FORMS:
            letter, swallowed, leads = letter + following, after, False
            drawn[after] = ""
        drawn[at] = FORMS.get(letter, {}).get(PLACES[follows, leads], drawn[at])
        follows = leads
    return "".join(c for c in drawn if c not in (NON_JOINER, JOINER))


def _reaches_on(letter: str) -> bool:
    return letter in (TATWEEL, JOINER) or "<initial>" in FORMS.get(letter, {})


def _is_reached(letter: str) -> bool:
    return letter in (TATWEEL, JOINER) or "<final>" in FORMS.get(letter, {})
