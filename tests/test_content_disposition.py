"""File names in Content-Disposition, as Chrome and Firefox read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.outbound.disposition import disposition_file_name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a.txt"', "a.txt"),
        ("attachment; filename=a.txt", "a.txt"),
        ("attachment; filename=my file.txt; size=3", "my file.txt"),
        ('ATTACHMENT; FileName = "a.txt" ; x', "a.txt"),
        ('filename="a.txt"', "a.txt"),
        ('attachment; filename="a;b.txt"', "a;b.txt"),
        ('attachment; filename="a\\"b.txt"', 'a"b.txt'),
        ('attachment; filename="a\\\\b.txt"', "a\\b.txt"),
        ('attachment; filename="f\\oo.txt"', "foo.txt"),
        ('attachment; filename="C:\\temp\\x.txt"', "C:\\temp\\x.txt"),
        ('attachment; filename="a.txt', "a.txt"),
        ('attachment; filename="a.txt"; filename="b.txt"', "a.txt"),
        ("attachment", ""),
        ('attachment; filename=""', ""),
        ('attachment; filename="', ""),
        # RFC 8187
        ("attachment; filename*=utf-8''na%C3%AFve%20%E2%82%AC.rar", "naïve €.rar"),
        ("attachment; filename*=UTF-8'en'a.txt; filename=b.txt", "a.txt"),
        ("attachment; filename=b.txt; filename*=UTF-8''a.txt", "a.txt"),
        ("attachment; filename*=\"UTF-8''a%20b.txt\"", "a b.txt"),
        ("attachment; filename*=iso-8859-1''%E4.txt", "ä.txt"),
        ("attachment; filename*=UTF-8''%E4.txt; filename=b.txt", "b.txt"),
        ("attachment; filename*=UTF-8''%E4.txt", ""),
        ("attachment; filename*=nonsense''%ff; filename=b.txt", "b.txt"),
        ("attachment; filename*=rot13''%41", ""),
        ("attachment; filename*=a.txt; filename=b.txt", "b.txt"),
        # RFC 2047, meant for e-mails
        ('attachment; filename="=?UTF-8?B?TUVJU0FJLmNzdg==?="', "MEISAI.csv"),
        ("attachment; filename==?UTF-8?B?TUVJU0FJLmNzdg==?=", "MEISAI.csv"),
        ('attachment; filename="=?utf-8?q?caf=C3=A9_1.txt?="', "café 1.txt"),
        ('attachment; filename="=?utf-8?Q?a=C3=A4?= =?utf-8?Q?b.txt?="', "aäb.txt"),
        ('attachment; filename="=?utf-8?B?5pel?==?utf-8?B?5pys?=.txt"', "日本.txt"),
        ('attachment; filename="=?iso-8859-1?Q?=E4.txt?="', "ä.txt"),
        ('attachment; filename="=?gb2312?B?1tDOxC50eHQ=?="', "中文.txt"),
        ('attachment; filename="=?x-none?B?AAAA?="', "=?x-none?B?AAAA?="),
        ('attachment; filename="=?utf-8?B?/w==?="', "=?utf-8?B?/w==?="),
        # Percent signs
        ("attachment; filename=caf%C3%A9.txt", "café.txt"),
        ('attachment; filename="a%20b.txt"', "a b.txt"),
        ("attachment; filename=100%.txt", "100%.txt"),
        ("attachment; filename=%E4.txt", "%E4.txt"),
        # Bytes, as `http.client` reads them
        ('attachment; filename="café.txt"', "café.txt"),
        ('attachment; filename="caf\xc3\xa9.txt"', "café.txt"),
        ('attachment; filename="\x80.txt"', "€.txt"),
        ('attachment; filename="日本.txt"', "日本.txt"),
        ("attachment; filename*=UTF-8''caf\xc3\xa9.txt", "café.txt"),
    ],
)
def test_the_name_is_that_of_browsers(header: str, name: str) -> None:
    assert disposition_file_name(header) == name


@given(st.text() | st.text("filename*=\"=?utf8BQ\\;% '\x00é").map("filename=".__add__))
def test_any_header_is_parsed(header: str) -> None:
    assert isinstance(disposition_file_name(header), str)


def test_a_long_header_is_parsed_quickly() -> None:
    for text in (";", "a", '"', "filename=", "=?a?q?", "\\", " "):
        assert isinstance(disposition_file_name(text * 250_000), str)
