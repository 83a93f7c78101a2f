"""Properties of every body and every name, tested with hypothesis."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import APIException

from jobs.kinds.archive.member_names import zip_member_names
from jobs.kinds.registry import KINDS
from jobs.lib.names import MAX_NAME_BYTES, safe_name
from jobs.storage import attachment_header
from jobs.web.parsers import MAX_NAME_CHARS, StrictJSONParser
from jobs.workspace import Source

settings.register_profile("the same each time", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("the same each time")

LONGEST = 255  # bytes of one name in a file system
# Characters without lone surrogates, which neither JSON nor Postgres accepts.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MEMBER_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_NAME_CHARS)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(MEMBER_NAMES, inner),
    max_leaves=20,
)
# Tokens that parsers stumble over, in any order: random bytes would hardly ever be JSON.
PIECES = st.sampled_from(
    [
        *[b"{", b"}", b"[", b"]", b",", b":", b'"', b'"a"', b'"file_ids"', b'"a":1,"a":2'],
        *[b"1", b"-", b"0", b"1e999", b"9" * 5_000, b"1.", b"true", b"null", b"NaN", b"-Infinity"],
        *[b" ", b"\n", b"\x00", b"\xff", b"\xef\xbb\xbf", rb'"\ud800"', rb'"\u0000"', rb"\u"],
    ]
)
BODIES = st.binary() | st.lists(PIECES).map(b"".join) | VALUES.map(json.dumps).map(str.encode)
# Names with misleading parts: separators, controls, directions, combining marks, long suffixes.
NAMES = TEXT | st.lists(
    st.sampled_from(
        [
            *[
                "/",
                "\\",
                ".",
                "..",
                " ",
                "a",
                "A",
                "ß",
                "é",
                "e\u0301",
                "\u202e",
                "\u200f",
                "\u2066",
            ],
            *[
                "\x00",
                "\n",
                "\x7f",
                "\ufeff",
                "😀",
                "漢" * 70,
                "x" * 200,
                ".txt",
                ".tar.gz",
                ":",
                "con",
            ],
            *["(2)", " (2)", "İ", "ﬀ", "K", "\u0345", "\u0301"],
        ]
    )
).map("".join)


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.web.parsers.release_database_connection", lambda: None)


def parse(body: bytes) -> Any:
    return StrictJSONParser().parse(io.BytesIO(body))


def pairs_twice(body: bytes) -> bool:
    """Return True if an object of the body has a duplicate name."""
    seen: list[bool] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen.append(len({name for name, _ in pairs}) < len(pairs))

    json.loads(body, object_pairs_hook=look)
    return any(seen)


@given(BODIES)
@example(b"[" * 100_000)
@example(b'{"a":' * 50_000 + b"1" + b"}" * 50_000)
@example(b" " * 1_000_001)
def test_a_body_is_parsed_or_refused_with_4xx(body: bytes) -> None:
    status = 200
    try:
        parse(body)
    except APIException as refusal:
        status = refusal.status_code

    assert status == 200 or 400 <= status < 500


@given(BODIES)
def test_the_parser_agrees_with_python(body: bytes) -> None:
    try:
        found = parse(body)
    except APIException:
        return

    assert found == json.loads(body)
    assert not pairs_twice(body)


@given(VALUES)
def test_every_value_survives_a_round_trip(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@given(VALUES)
def test_a_parsed_body_can_be_written_as_utf_8(value: Any) -> None:
    found = parse(json.dumps(value).encode())

    assert json.loads(json.dumps(found, ensure_ascii=False).encode()) == found


BIDI_CONTROLS = {*"\u061c\u200e\u200f", *map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])}


def assert_safe(name: str) -> None:
    assert name
    assert name not in (".", "..")
    assert not set(name) & set('/\\<>:"|?*')
    assert not [c for c in name if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert not set(name) & BIDI_CONTROLS
    assert name == name.strip().rstrip(".")
    device = name.partition(".")[0].rstrip(" ").upper()
    assert device not in {"CON", "PRN", "AUX", "NUL"}
    assert not re.fullmatch("(COM|LPT).", device) or not device[3:].isdigit()
    assert unicodedata.is_normalized("NFC", name)
    assert PurePosixPath(name).name == name


@given(NAMES)
@example("/".join([".."] * 5))
@example("\u202egpj.exe")
@example("a" * 179 + "é")
@example("." * 300)
@example("\u00a0")
@example("e\u200f\u0301")
@example("a" * 179 + ". b")
@example("x" + "." + "y" * 300)
@example("con" + " " * 300 + "x")
@example("Com\u00b2.tar.gz")
def test_a_safe_name_is_safe_short_and_not_empty(name: str) -> None:
    safe = safe_name(name)

    assert_safe(safe)
    assert len(safe.encode()) <= MAX_NAME_BYTES


@given(NAMES)
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    assert safe_name(safe_name(name)) == safe_name(name)


@given(st.text("abcdefghijklmnop-_ 0123456789é漢", min_size=1, max_size=50))
def test_a_plain_name_is_unchanged(name: str) -> None:
    plain = unicodedata.normalize("NFC", name.strip() or "file")

    assert safe_name(f"{plain}.pdf") == f"{plain}.pdf"


@given(NAMES, st.integers(1, 100_000))
def test_the_archive_itself_has_a_safe_name(name: str, count: int) -> None:
    found = KINDS["bundle"].artifact_name(name, {"file_ids": range(count)})

    assert_safe(found)
    assert found.lower().endswith(".zip")
    assert len(found.encode()) <= LONGEST
    assert len(found) <= 200  # the width of the column


@given(NAMES)
def test_a_header_with_the_name_is_one_line_of_ascii(name: str) -> None:
    header = attachment_header(safe_name(name))

    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


def members(names: list[str]) -> Iterator[str]:
    sources = (Source(key=f"k/{n}", name=name) for n, name in enumerate(names))
    return zip_member_names(sources)


@given(st.lists(NAMES, max_size=30))
@example(["a.txt", "A.txt", "a (2).txt", "a.txt"])
@example(["a (2).txt", "a.txt", "a.txt", "a (2).txt"])
@example(["ß", "SS", "ss", "ẞ"])
@example([""] * 30)
@example(["a", "a/b", "A/B", "a (2)/c", "a (2)"])
@example(["a/b/c", "a/B", "A/b/C/d", "a", "a\\b"])
@example(["/".join(["x" * 300] * 9)])
def test_members_of_an_archive_have_safe_unique_names(names: list[str]) -> None:
    found = list(members(names))

    assert len(found) == len(names)
    for name in found:
        for part in name.split("/"):
            assert_safe(part)
            assert len(part.encode()) <= LONGEST
        assert len(name.encode()) <= 1_024 - 200  # where it is extracted
    # Names must differ on every file system: ignoring case, and with normalized marks.
    folders = {name[:end] for name in found for end in range(len(name)) if name[end] == "/"}
    folded = [unicodedata.normalize("NFC", path.casefold()) for path in [*found, *folders]]
    assert len(set(folded)) == len(folded)


@given(st.lists(NAMES, max_size=10))
def test_the_first_of_a_name_keeps_it(names: list[str]) -> None:
    if names:
        assert next(members(names)).rpartition("/")[2] == safe_name(names[0])
