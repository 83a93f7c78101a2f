"""Text as it is drawn: which font, in which order, cut where."""

from __future__ import annotations

import unicodedata

import pytest

from jobs.reporting.bidi import visual
from jobs.reporting.fonts import ASIAN, REPLACEMENT, fitted, line


def test_plain_text_is_one_piece_and_says_itself() -> None:
    assert line("Zip").pieces == (("notos", "Zip"),)
    assert line("Zip", bold=True).pieces == (("notosbo", "Zip"),)
    assert line("Zip").says == ""


def test_each_run_has_the_font_that_knows_it() -> None:
    assert line("aЖ ש").pieces == (("notos", "aЖ "), ("figo", "ש"))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("報告書", "shift_jis"), ("ひらがな", "shift_jis"), ("报告体", "gbk"), ("한국어", "cp949")],
)
def test_a_name_of_east_asia_is_in_one_font_as_a_whole(text: str, encoding: str) -> None:
    assert line(text).pieces == ((ASIAN[encoding], text),)


def test_what_no_font_has_is_a_mark_that_reads_as_what_it_was() -> None:
    shown = line("🎉 ok")

    assert "".join(text for _, text in shown.pieces) == f"{REPLACEMENT} ok"
    assert shown.says == "🎉 ok"


def test_control_characters_are_marks_and_do_not_come_back_by_copying() -> None:
    shown = line("a\x1bb\nc")

    assert shown.pieces == (("notos", f"a{REPLACEMENT}b{REPLACEMENT}c"),)
    assert shown.says == ""


def test_signs_that_turn_the_direction_are_left_out() -> None:
    assert line("x\u202egnp.exe").pieces == (("notos", "xgnp.exe"),)


def test_a_lone_mark_gets_something_to_stand_on() -> None:
    assert line("\u0301a").pieces[0][1].startswith("◌")


def test_a_letter_and_its_accent_become_one() -> None:
    assert line("e\u0301").pieces == (("notos", "é"),)


@pytest.mark.parametrize("text", ["a" * 200, "Ж" * 200, "السلام " * 30, "報告" * 100, "🎉" * 99])
def test_what_is_too_wide_is_cut_with_an_ellipsis_and_fits(text: str) -> None:
    shown = fitted(text, 12.0)

    drawn = "".join(piece for _, piece in shown.pieces)
    assert "…" in drawn
    assert len(drawn) < len(text)
    assert 7 < shown.width <= 12  # joined, letters of Arabic are narrower than they are alone


def test_what_fits_is_not_cut() -> None:
    assert fitted("14 files.zip", 12.0) == line("14 files.zip")


def shaped(text: str) -> str:
    """Of Arabic, without the forms of its letters."""
    return unicodedata.normalize("NFKC", visual(text))


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("שלום", "םולש"),
        ("שלום.pdf", "םולש.pdf"),
        ("a שלום b", "a םולש b"),
        ("דוח 2026.pdf", "2026 חוד.pdf"),
        ("דוח 2026-11", "2026-11 חוד"),
        ("2026 דוח", "2026 חוד"),
        ("שלום (עולם).txt", "(םלוע) םולש.txt"),
        ("(שלום) x", "(םולש) x"),
        ("plain (text)", "plain (text)"),
    ],
)
def test_words_of_hebrew_run_from_right_to_left(text: str, drawn: str) -> None:
    assert visual(text) == drawn


def test_letters_of_arabic_are_joined_and_turned() -> None:
    assert [unicodedata.name(c) for c in visual("تقر")] == [
        "ARABIC LETTER REH FINAL FORM",
        "ARABIC LETTER QAF MEDIAL FORM",
        "ARABIC LETTER TEH INITIAL FORM",
    ]


def test_a_letter_that_reaches_no_further_ends_a_group() -> None:
    assert visual("دار") == "راد"


def test_lam_and_alef_are_one_sign() -> None:
    assert [unicodedata.name(c) for c in visual("سلام")] == [
        "ARABIC LETTER MEEM",
        "ARABIC LIGATURE LAM WITH ALEF FINAL FORM",
        "ARABIC LETTER SEEN INITIAL FORM",
    ]


def test_marks_stay_behind_their_letter() -> None:
    assert visual("שָׁל") == "לשָׁ"
    assert [unicodedata.name(c) for c in visual("بَب")] == [
        "ARABIC LETTER BEH FINAL FORM",
        "ARABIC LETTER BEH INITIAL FORM",
        "ARABIC FATHA",
    ]


def test_nothing_is_lost_on_the_way() -> None:
    text = "mixed עברית and العربية 12.5 (x).txt"

    assert sorted(shaped(text)) == sorted(text)
