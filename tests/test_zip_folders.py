"""Folders inside a zip: names of sources with slashes."""

from __future__ import annotations

import time

import pytest

from jobs.kinds.archive.member_names import zip_member_names
from jobs.workspace import Source


def names(*given: str) -> list[str]:
    return list(zip_member_names(Source(key="k", name=name) for name in given))


def test_slashes_make_folders() -> None:
    given = ["2026/05/invoice.pdf", "2026/06/invoice.pdf", "2026/index.csv", "read me.txt"]

    assert names(*given) == given


@pytest.mark.parametrize(
    ("given", "inside"),
    [
        ("../x", "x"),
        ("../../etc/passwd", "etc/passwd"),
        ("a/../../b", "a/b"),
        ("/etc/passwd", "etc/passwd"),
        ("\\\\server\\share\\a.txt", "server/share/a.txt"),
        ("C:\\Windows\\a.ini", "C_/Windows/a.ini"),
        ("a\\..\\b", "a/b"),
        ("a//b/./c", "a/b/c"),
        ("a/b/", "a/b"),
        ("a/..", "a/file"),
        ("", "file"),
        ("/", "file"),
        ("con/nul.txt", "_con/_nul.txt"),
        ("a. /b.", "a/b"),
        (" a /b", "a/b"),
        ("..\u200b/b", "b"),
        ("\u202e../b", "b"),
        ("a\x00b/c?d", "a_b/c_d"),
    ],
)
def test_no_name_leaves_the_archive_or_is_refused_by_a_system(given: str, inside: str) -> None:
    assert names(given) == [inside]


def test_duplicates_are_numbered_within_their_folder() -> None:
    given = ["a/x.txt", "b/x.txt", "a/X.TXT", "x.txt", "a/x.txt"]

    assert names(*given) == ["a/x.txt", "b/x.txt", "a/X (2).TXT", "x.txt", "a/x (3).txt"]


def test_folders_that_one_system_takes_for_the_same_are_one() -> None:
    given = ["\u00c4/1", "a\u0308/2", "\u00e4/3", "\u00e4/1"]

    assert names(*given) == ["\u00c4/1", "\u00c4/2", "\u00c4/3", "\u00c4/1 (2)"]


def test_a_folder_never_has_the_name_of_a_file() -> None:
    assert names("a", "A/b", "a/c") == ["a", "A (2)/b", "A (2)/c"]


def test_a_file_never_has_the_name_of_a_folder() -> None:
    assert names("a/b.txt", "A", "a/B.TXT/c") == ["a/b.txt", "A (2)", "a/B (2).TXT/c"]


def test_a_deep_path_is_cut_so_that_it_can_be_extracted() -> None:
    (name,) = names("/".join(["x" * 300] * 50) + "/invoice.pdf")

    assert name.endswith("x/invoice.pdf")
    assert len(name.encode()) < 1_024 - 200


def test_a_hundred_thousand_names_take_seconds() -> None:
    began = time.process_time()

    found = names(*(f"{number % 12}/same.txt" for number in range(100_000)))

    assert len(set(found)) == 100_000
    assert time.process_time() - began < 10
