"""How text is drawn: the fonts, the order of characters, and where it is cut."""

from __future__ import annotations

import unicodedata

import pytest

from jobs.kinds.report.document.bidi import visual
from jobs.kinds.report.document.fonts import ASIAN, REPLACEMENT, fitted, line


def test_ascii_text_is_one_piece() -> None:
    assert line("Zip").pieces == (("notos", "Zip"),)
    assert line("Zip", bold=True).pieces == (("notosbo", "Zip"),)
    assert line("Zip").actual_text == ""


def test_each_run_has_a_font_with_its_characters() -> None:
    assert line("aЖ ש").pieces == (("notos", "aЖ "), ("figo", "ש"))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("報告書", "shift_jis"), ("ひらがな", "shift_jis"), ("报告体", "gbk"), ("한국어", "cp949")],
)
def test_east_asian_text_is_in_one_font(text: str, encoding: str) -> None:
    assert line(text).pieces == ((ASIAN[encoding], text),)


def test_character_without_a_font_is_replaced_but_can_be_copied() -> None:
    shown = line("🎉 ok")

    assert "".join(text for _, text in shown.pieces) == f"{REPLACEMENT} ok"
    assert shown.actual_text == "🎉 ok"


@pytest.mark.parametrize("text", ["தமிழ்", "বাংলা", "a🎉", "ខ្មែរ"])
def test_line_knows_whether_a_character_was_replaced(text: str) -> None:
    assert line(text).has_replacement
    assert not line("plain – \ufffd Ж 報告").has_replacement


def test_devanagari_is_shaped_or_it_is_a_mark() -> None:
    """Apart and in the order of its letters, it would be read as something else."""
    shown = line("हिन्दी")

    drawn = "".join(piece for _, piece in shown.pieces)
    assert shown.actual_text == "हिन्दी"
    assert shown.glyphs or drawn == REPLACEMENT * 6
    assert shown.has_replacement == (not shown.glyphs)


@pytest.mark.parametrize("text", ["\ue000", "\ue123", "\uf8ff"])
def test_private_use_character_is_replaced(text: str) -> None:
    line("क्षत्रिय")

    assert line(f"a{text}").pieces == (("notos", f"a{REPLACEMENT}"),)
    assert line(f"a{text}").has_replacement


def drawn_letters(text: str) -> list[str]:
    """Return the names of the drawn characters; 'private' is a glyph without a character."""
    pytest.importorskip("uharfbuzz")
    return [unicodedata.name(c, "private") for _, piece in line(text).pieces for c in piece]


def test_devanagari_vowel_sign_is_drawn_before_its_letter() -> None:
    letters = drawn_letters("नि")

    assert letters[1:] == ["DEVANAGARI LETTER NA"]


def test_devanagari_conjunct_is_one_glyph_unless_a_joiner_splits_it() -> None:
    assert drawn_letters("क्ष") == ["private"]
    assert len(drawn_letters("क्\N{ZERO WIDTH JOINER}ष")) > 1
    assert line("क्\N{ZERO WIDTH JOINER}ष").actual_text == "क्\N{ZERO WIDTH JOINER}ष"


def test_thai_tone_mark_is_above_its_vowel() -> None:
    pytest.importorskip("uharfbuzz")
    tone = [
        glyph
        for (_, piece), glyphs in zip(line("ที่").pieces, line("ที่").glyphs, strict=True)
        for c, glyph in zip(piece, glyphs, strict=True)
    ][-1]

    assert tone.up or tone.right


def test_width_of_shaped_text_is_that_of_its_glyphs() -> None:
    pytest.importorskip("uharfbuzz")
    whole = line("क्षत्रिय हिन्दी")
    cut = fitted("क्षत्रिय हिन्दी " * 20, 12.0)

    assert 0 < whole.width < sum(line(c).width for c in "क्षत्रिय हिन्दी")
    assert 7 < cut.width <= 12
    assert cut.actual_text.endswith("…")
    assert unicodedata.category(cut.actual_text[-2])[0] in "LM"


def test_control_characters_are_replaced_and_not_copied() -> None:
    shown = line("a\x1bb\nc")

    assert shown.pieces == (("notos", f"a{REPLACEMENT}b{REPLACEMENT}c"),)
    assert shown.actual_text == ""


def test_direction_controls_are_removed() -> None:
    assert line("x\u202egnp.exe").pieces == (("notos", "xgnp.exe"),)


def test_leading_combining_mark_is_drawn_on_a_circle() -> None:
    assert line("\u0301a").pieces[0][1].startswith("◌")


def test_text_is_normalized_to_nfc() -> None:
    assert line("e\u0301").pieces == (("notos", "é"),)


@pytest.mark.parametrize("text", ["a" * 200, "Ж" * 200, "السلام " * 30, "報告" * 100, "🎉" * 99])
def test_wide_text_is_cut_with_an_ellipsis_and_fits(text: str) -> None:
    shown = fitted(text, 12.0)

    drawn = "".join(piece for _, piece in shown.pieces)
    assert "…" in drawn
    assert len(drawn) < len(text)
    assert 7 < shown.width <= 12  # joined, letters of Arabic are narrower than they are alone


def test_fitting_text_is_not_cut() -> None:
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


def test_a_non_joiner_of_persian_parts_letters_and_is_not_drawn() -> None:
    drawn = "".join(piece for _, piece in line("می\N{ZERO WIDTH NON-JOINER}خواهم").pieces)

    assert "\N{ZERO WIDTH NON-JOINER}" not in drawn
    assert [unicodedata.name(c) for c in reversed(drawn)][:3] == [
        "ARABIC LETTER MEEM INITIAL FORM",
        "ARABIC LETTER FARSI YEH FINAL FORM",
        "ARABIC LETTER KHAH INITIAL FORM",
    ]


def test_a_joiner_keeps_the_form_of_a_letter_that_would_stand_alone() -> None:
    assert [unicodedata.name(c) for c in visual("ه\N{ZERO WIDTH JOINER}")] == [
        "ARABIC LETTER HEH INITIAL FORM"
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
