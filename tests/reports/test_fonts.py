"""How text is drawn: the fonts, the order of characters, and where it is cut."""

from __future__ import annotations

import unicodedata

import pytest

from jobs.kinds.report.document.fonts import ASIAN, REPLACEMENT
from jobs.kinds.report.document.text_lines import fit_text_line, text_line


def fonts_and_texts(text: str, *, bold: bool = False) -> list[tuple[str, str]]:
    return [(piece.font, piece.text) for piece in text_line(text, bold=bold).pieces]


def test_ascii_text_is_one_piece() -> None:
    assert fonts_and_texts("Zip") == [("notos", "Zip")]
    assert fonts_and_texts("Zip", bold=True) == [("notosbo", "Zip")]
    assert text_line("Zip").actual_text == ""


def test_each_run_has_a_font_with_its_characters() -> None:
    assert fonts_and_texts("aЖ ש") == [("notos", "aЖ "), ("figo", "ש")]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("報告書", "shift_jis"), ("ひらがな", "shift_jis"), ("报告体", "gbk"), ("한국어", "cp949")],
)
def test_east_asian_text_is_in_one_font(text: str, encoding: str) -> None:
    assert fonts_and_texts(text) == [(ASIAN[encoding], text)]


def test_character_without_a_font_is_replaced_but_can_be_copied() -> None:
    shown = text_line("🎉 ok")

    assert "".join(piece.text for piece in shown.pieces) == f"{REPLACEMENT} ok"
    assert shown.actual_text == "🎉 ok"


@pytest.mark.parametrize("text", ["தமிழ்", "বাংলা", "a🎉", "ខ្មែរ"])
def test_line_knows_whether_a_character_was_replaced(text: str) -> None:
    assert text_line(text).has_replacement
    assert not text_line("plain – \ufffd Ж 報告").has_replacement


def test_devanagari_is_shaped_and_can_be_copied() -> None:
    shown = text_line("हिन्दी")

    assert drawn_letters("हिन्दी")[0] == "private"
    assert shown.actual_text == "हिन्दी"
    assert not shown.has_replacement


@pytest.mark.parametrize("text", ["\ue000", "\ue123", "\uf8ff"])
def test_private_use_character_is_replaced(text: str) -> None:
    text_line("क्षत्रिय")

    assert fonts_and_texts(f"a{text}") == [("notos", f"a{REPLACEMENT}")]
    assert text_line(f"a{text}").has_replacement


def drawn_letters(text: str) -> list[str]:
    """Return the names of the drawn characters; 'private' is a glyph without a character."""
    return [unicodedata.name(c, "private") for piece in text_line(text).pieces for c in piece.text]


def test_devanagari_vowel_sign_is_drawn_before_its_letter() -> None:
    letters = drawn_letters("नि")

    assert letters[1:] == ["DEVANAGARI LETTER NA"]


def test_devanagari_conjunct_is_one_glyph_unless_a_joiner_splits_it() -> None:
    assert drawn_letters("क्ष") == ["private"]
    assert len(drawn_letters("क्\N{ZERO WIDTH JOINER}ष")) > 1
    assert text_line("क्\N{ZERO WIDTH JOINER}ष").actual_text == "क्\N{ZERO WIDTH JOINER}ष"


def test_thai_tone_mark_is_above_its_vowel() -> None:
    (piece,) = text_line("ที่").pieces

    tone = piece.glyphs[-1]

    assert tone.up or tone.right


def test_width_of_shaped_text_is_that_of_its_glyphs() -> None:
    whole = text_line("क्षत्रिय हिन्दी")
    cut = fit_text_line("क्षत्रिय हिन्दी " * 20, 12.0)

    assert 0 < whole.width < sum(text_line(c).width for c in "क्षत्रिय हिन्दी")
    assert 7 < cut.width <= 12
    assert cut.actual_text.endswith("…")
    assert unicodedata.category(cut.actual_text[-2])[0] in "LM"


def test_control_characters_are_replaced_and_not_copied() -> None:
    text = "a\x1bb\nc"

    assert fonts_and_texts(text) == [("notos", f"a{REPLACEMENT}b{REPLACEMENT}c")]
    assert text_line(text).actual_text == ""


def test_direction_controls_are_removed() -> None:
    assert fonts_and_texts("x\u202egnp.exe") == [("notos", "xgnp.exe")]


def test_leading_combining_mark_is_drawn_on_a_circle() -> None:
    assert text_line("\u0301a").pieces[0].text.startswith("◌")


def test_text_is_normalized_to_nfc() -> None:
    assert fonts_and_texts("e\u0301") == [("notos", "é")]


@pytest.mark.parametrize("text", ["a" * 200, "Ж" * 200, "السلام " * 30, "報告" * 100, "🎉" * 99])
def test_wide_text_is_cut_with_an_ellipsis_and_fits(text: str) -> None:
    shown = fit_text_line(text, 12.0)

    drawn = "".join(piece.text for piece in shown.pieces)
    assert "…" in drawn
    assert len(drawn) < len(text)
    assert 7 < shown.width <= 12  # joined, letters of Arabic are narrower than they are alone


def test_fitting_text_is_not_cut() -> None:
    assert fit_text_line("14 files.zip", 12.0) == text_line("14 files.zip")


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
        ("תמונה (1).jpg", "(1) הנומת.jpg"),
        ("photo (שלום).jpg", "photo (םולש).jpg"),
        ("(שלום) x", "(םולש) x"),
        ("א)א", "א(א"),
        ("א (ב)", "(ב) א"),
        ("א [ב (ג)]", "[(ג) ב] א"),
        ("א)", "א)"),
        ("א [ב (ג)] ד", "ד [(ג) ב] א"),
        ("plain (text) [x]", "plain (text) [x]"),
        ("صورة ١٢٣", "١٢٣ ةروص"),
    ],
)
def test_right_to_left_text_is_in_visual_order(text: str, drawn: str) -> None:
    assert drawn_text(text) == drawn


def test_visual_order_keeps_all_characters() -> None:
    text = "mixed עברית and العربية 12.5 (x).txt"

    assert sorted(drawn_text(text)) == sorted(text)


def drawn_text(text: str) -> str:
    """Return the drawn characters from left to right, without the forms of Arabic letters."""
    drawn = "".join(piece.text for piece in text_line(text).pieces)
    return unicodedata.normalize("NFKC", drawn)


def test_arabic_letters_are_joined() -> None:
    assert drawn_letters("تقر") == [
        "ARABIC LETTER REH FINAL FORM",
        "ARABIC LETTER QAF MEDIAL FORM",
        "ARABIC LETTER TEH INITIAL FORM",
    ]


def test_arabic_letter_that_never_joins_the_next_ends_a_group() -> None:
    assert "".join(piece.text for piece in text_line("دار").pieces) == "راد"


def test_lam_and_alef_are_a_ligature() -> None:
    assert drawn_letters("سلام") == [
        "ARABIC LETTER MEEM",
        "ARABIC LIGATURE LAM WITH ALEF FINAL FORM",
        "ARABIC LETTER SEEN INITIAL FORM",
    ]


def test_non_joiner_separates_letters_and_is_not_drawn() -> None:
    drawn = drawn_letters("می\N{ZERO WIDTH NON-JOINER}خواهم")

    assert drawn[::-1][:3] == [
        "ARABIC LETTER MEEM INITIAL FORM",
        "ARABIC LETTER FARSI YEH FINAL FORM",
        "ARABIC LETTER KHAH INITIAL FORM",
    ]
    assert len(drawn) == 7


def test_joiner_gives_a_single_letter_its_initial_form() -> None:
    assert drawn_letters("ه\N{ZERO WIDTH JOINER}") == ["ARABIC LETTER HEH INITIAL FORM"]


def test_marks_are_placed_on_their_letters() -> None:
    (piece,) = text_line("بَب").pieces

    assert [unicodedata.name(c) for c in piece.text] == [
        "ARABIC LETTER BEH FINAL FORM",
        "ARABIC FATHA",
        "ARABIC LETTER BEH INITIAL FORM",
    ]
    assert (piece.glyphs[1].advance, piece.glyphs[1].up) == (0, -0.125)


def test_right_to_left_text_has_no_actual_text() -> None:
    """PDFium would reverse its words once more."""
    for text in ("דוח שנתי (טיוטה).pdf", "تقرير نوفمبر 2026.pdf", "שָׁלום"):
        assert text_line(text).actual_text == ""
