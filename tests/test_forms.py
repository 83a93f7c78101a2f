"""A multipart form with a file: what is read and what is refused, wherever its bytes are split."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.test import Client, RequestFactory
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import APIException

from jobs.web.authentication import check_csrf_token
from jobs.web.error_responses import exception_handler
from jobs.web.multipart_form import MAX_FIELD_BYTES, MAX_FIELDS, PIECE_BYTES, MultipartForm
from jobs.web.multipart_problems import no_file_problem
from jobs.web.problems import Problem

settings.register_profile("the same each time", derandomize=True, deadline=None, max_examples=200)
settings.load_profile("the same each time")

BOUNDARY = "----WebKitFormBoundary7MA4YWxk"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
FORM = "multipart/form-data;Boundary="
OPEN, END = f"--{BOUNDARY}\r\n".encode(), f"--{BOUNDARY}--\r\n".encode()
DISPOSITION = b"Content-Disposition: form-data; "
MAX_BYTES = 300_000
NASTY = [b"\r", b"\n", b"\r\n", b"--", b"\r\n--", b"\r\n" + OPEN[:9], b"\r\n--\r\n", b"\0", b"abc"]


def part(head: bytes, body: bytes = b"x") -> bytes:
    return OPEN + head + b"\r\n\r\n" + body + b"\r\n"


def field(name: str, value: bytes = b"x") -> bytes:
    return part(DISPOSITION + f'name="{name}"'.encode(), value)


def file(body: bytes = b"x", *, name: str = "file", filename: str = "a.pdf") -> bytes:
    named = f'name="{name}"; filename="{filename}"'.encode()
    return part(DISPOSITION + named + b"\r\nContent-Type: application/pdf", body)


class Line:
    """A body that arrives in pieces split at these places; then `error`, if there is one."""

    def __init__(self, body: bytes, cuts: list[int], error: OSError | None = None) -> None:
        ends = [*sorted({cut % (len(body) + 1) for cut in cuts} - {0}), len(body)]
        pieces = zip([0, *ends], ends, strict=False)
        self._pieces = [body[start:end] for start, end in pieces if start < end]
        self._error = error
        self.read_bytes = 0

    def read(self, size: int) -> bytes:
        if not size:
            return b""
        if not self._pieces:
            if self._error:
                raise self._error
            return b""
        piece, rest = self._pieces[0][:size], self._pieces[0][size:]
        self._pieces[:1] = [rest] if rest else []
        self.read_bytes += len(piece)
        return piece

    readline = read


def request_with(
    body: bytes, cuts: list[int] | None = None, error: OSError | None = None, **meta: Any
) -> HttpRequest:
    """Return the request. Its length is known, else it is chunked."""
    length = meta.pop("length", len(body))
    if length is None:
        meta |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    else:
        meta["CONTENT_LENGTH"] = str(length)
    meta["wsgi.input"] = Line(body, cuts or [], error)
    meta["CONTENT_TYPE"] = meta.pop("kind", TYPE)
    return RequestFactory().generic("POST", "/upload", **meta)


def read(request: HttpRequest) -> tuple[str, str, bytes, dict[str, str]] | None:
    """Read all of it: name, type, bytes, fields."""
    form = MultipartForm(request, max_bytes=MAX_BYTES)
    incoming = form.file()
    if incoming is None:
        return None
    return incoming.name, incoming.content_type, b"".join(incoming), form.fields


def outcome(body: bytes, cuts: list[int]) -> object:
    try:
        return read(request_with(body, cuts))
    except APIException as error:
        return error.status_code, error.get_codes()


def test_a_file_and_the_fields_around_it_are_read() -> None:
    body = field("a", b"1") + file(b"%PDF") + field("b", "ü".encode()) + END

    assert read(request_with(body)) == ("a.pdf", "application/pdf", b"%PDF", {"a": "1", "b": "ü"})


def test_the_fields_before_the_file_are_there_before_it_is_read() -> None:
    request = request_with(field("token") + file(bytes(MAX_BYTES)) + END)
    form = MultipartForm(request, max_bytes=MAX_BYTES)

    assert form.file()

    assert form.fields == {"token": "x"}
    assert request.META["wsgi.input"].read_bytes <= PIECE_BYTES


def test_pieces_are_bounded() -> None:
    form = MultipartForm(request_with(file(bytes(MAX_BYTES)) + END), max_bytes=MAX_BYTES)

    sizes = [len(piece) for piece in form.file() or []]

    assert sum(sizes) == MAX_BYTES
    assert max(sizes) <= PIECE_BYTES + len(BOUNDARY) + 4


@given(
    st.lists(st.sampled_from(NASTY) | st.binary(max_size=40), max_size=8)
    .map(b"".join)
    .filter(bool),
    st.lists(st.integers(0, 1000), max_size=20),
    st.sampled_from([b"", b"\r\n"]),
)
def test_any_split_of_a_form_gives_the_same_file(
    content: bytes, cuts: list[int], before: bytes
) -> None:
    body = before + field("a", b"1") + file(content) + field("b", b"2") + END

    expected = ("a.pdf", "application/pdf", content, {"a": "1", "b": "2"})
    assert outcome(body, []) == outcome(body, cuts) == expected


@given(
    st.lists(
        st.sampled_from(
            [*NASTY, OPEN, END, field("a"), file(), DISPOSITION, b'name="file"', b'; filename="a"']
        ),
        max_size=12,
    ).map(b"".join),
    st.lists(st.integers(0, 1000), max_size=20),
)
def test_any_split_of_invalid_bytes_has_the_same_error(body: bytes, cuts: list[int]) -> None:
    assert outcome(body, []) == outcome(body, cuts)
    assert outcome(OPEN + body, []) == outcome(OPEN + body, cuts)


def test_a_truncated_form_is_never_complete() -> None:
    body = field("a") + file(b"content") + END
    whole = body.removesuffix(b"\r\n")  # data after the last boundary is ignored

    for size in range(1, len(whole)):
        assert outcome(whole[:size], []) == (400, "parse_error")
    assert outcome(whole, []) == outcome(body, [])


BAD = {
    "no end": field("a") + file(),
    "an end in the middle of a boundary": file() + END[:9],
    "half a file": file()[:-9],
    "another boundary": (file() + END).replace(BOUNDARY.encode(), b"other"),
    "a preamble": b"hello\r\n" + file() + END,
    "a flood instead of a form": bytes(200_000),
    "line feeds alone": (file() + END).replace(b"\r\n", b"\n"),
    "a word after a boundary": file().replace(OPEN, OPEN[:-2] + b"x\r\n") + END,
    "a head without end": OPEN + DISPOSITION + b"x" * 200_000,
    "a long line of a head": part(DISPOSITION + b'name="file"; filename="' + b"x" * 5_000 + b'"')
    + END,
    "many lines of a head": part(DISPOSITION + b'name="a"' + b"\r\nA: b" * 20) + END,
    "no colon in a head": part(DISPOSITION + b'name="file"; filename="a"\r\nnonsense') + END,
    "a line feed in a head": part(DISPOSITION + b'name="fi\nle"; filename="a"') + END,
    "no disposition": part(b"Content-Type: text/plain") + END,
    "another disposition": part(b'Content-Disposition: attachment; name="file"; filename="a"')
    + END,
    "no name": part(DISPOSITION + b'filename="a"') + END,
    "two dispositions": part(
        DISPOSITION + b'name="a"\r\n' + DISPOSITION + b'name="file"; filename="a"'
    )
    + END,
    "an empty name": part(DISPOSITION + b'name=""; filename="a"') + END,
    "a NUL in a name": file(name="fi\0le") + END,
    "a NUL in a file's name": file(filename="a\0.pdf") + END,
    "a line end in a field's name": field("a%0D%0Ab") + file() + END,
    "a file's name in Latin-1": part(DISPOSITION + b'name="file"; filename="\xfc.pdf"') + END,
    "half a character in a file's name": part(DISPOSITION + b'name="file"; filename="\xed\xa0\x80"')
    + END,
    "base64": part(
        DISPOSITION + b'name="file"; filename="a"\r\nContent-Transfer-Encoding: base64', b"eA=="
    )
    + END,
    "a multipart within": part(
        DISPOSITION + b'name="file"; filename="a"\r\nContent-Type: multipart/mixed; boundary=b'
    )
    + END,
    "a length of a part that is wrong": part(
        DISPOSITION + b'name="file"; filename="a"\r\nContent-Length: 7'
    )
    + END,
    "a file of another field": file(name="photo") + END,
    "two files": file() + file() + END,
    "another file after it": file() + file(name="photo") + END,
    "a field twice": field("a") + field("a") + file() + END,
    "a field twice, around the file": field("a") + file() + field("a") + END,
    "too many fields": b"".join(field(f"a{n}") for n in range(MAX_FIELDS + 1)) + file() + END,
    "a long field": field("a", bytes(MAX_FIELD_BYTES + 1)) + file() + END,
    "a long field after the file": file() + field("a", b"x" * (MAX_FIELD_BYTES + 1)) + END,
    "a field that is no UTF-8": field("a", b"\xff") + file() + END,
    "a NUL in a field": field("a", b"\0") + file() + END,
    "a file without a filename": field("file", b"x" * 100_000) + END,
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
@pytest.mark.parametrize("length", ["known", "unknown"])
def test_a_bad_form_is_400(body: bytes, length: str) -> None:
    request = request_with(body, length=len(body) if length == "known" else None)

    with pytest.raises(Problem) as refused:
        read(request)

    assert (refused.value.status_code, refused.value.get_codes()) == (400, "parse_error")


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="a\tb"',
        'multipart/form-data; boundary="ends with "',
        f"multipart/form-data; boundary={'x' * 71}",
    ],
)
def test_a_bad_boundary_is_400(kind: str) -> None:
    with pytest.raises(Problem, match="boundary") as refused:
        read(request_with(file() + END, kind=kind))

    assert refused.value.get_codes() == "parse_error"


@pytest.mark.parametrize(
    ("meta", "named"),
    [
        ({"kind": "application/json"}, "multipart/form-data"),
        ({"kind": "multipart/mixed; boundary=b"}, "multipart/form-data"),
        ({"kind": ""}, "multipart/form-data"),
        ({"HTTP_CONTENT_ENCODING": "gzip"}, "Content-Encoding"),
    ],
)
def test_other_media_types_are_415_unread(meta: dict[str, str], named: str) -> None:
    request = request_with(file() + END, **meta)

    with pytest.raises(APIException, match=named) as refused:
        read(request)

    assert refused.value.status_code == 415
    assert request.META["wsgi.input"].read_bytes == 0


@pytest.mark.parametrize("body", [b"", END, field("a") + END, field("file") + END])
def test_a_form_without_a_file_has_none(body: bytes) -> None:
    assert read(request_with(body)) is None


def test_an_empty_file_is_a_file() -> None:
    assert read(request_with(file(b"", filename="empty.txt") + END)) == (
        "empty.txt",
        "application/pdf",
        b"",
        {},
    )


def test_an_empty_file_field_is_no_file() -> None:
    with pytest.raises(Problem) as refused:
        read(request_with(file(b"", filename="") + END))

    assert refused.value.get_codes() == "no_file"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("C:/temp/a.pdf", "C:/temp/a.pdf"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("日本.pdf", "日本.pdf"),
        ("say %22hi%22.pdf", 'say "hi".pdf'),
        ("a%00.pdf", "a%00.pdf"),
    ],
)
def test_a_name_is_read_as_it_was_sent(sent: str, expected: str) -> None:
    found = read(request_with(file(filename=sent) + END))

    assert found
    assert found[0] == expected


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b"name=file; filename=my file.pdf", "my file.pdf"),
        (b'name="file"; filename="say "hi".pdf"', 'say "hi".pdf'),
        (b'name="file"; filename="a; name=b.pdf"', "a; name=b.pdf"),
        (b'name="file";\tfilename="a.pdf"', "a.pdf"),
        (b'name="file";\r\n\tfilename="a.pdf"', "a.pdf"),
        (b'name="file"; filename="=?utf-8?B?w7wucGRm?="', "\xfc.pdf"),
        (b'name="file"; filename="=?utf-8?Q?=C3=BC.pdf?="', "\xfc.pdf"),
        (b"name=\"file\"; filename*=UTF-8''%C3%BC.pdf", "\xfc.pdf"),
        (b"name=file; filename=\"=?utf-8?B?w7w=?=\"; filename*=utf-8''%C3%BC.pdf", "\xfc.pdf"),
        (b'name="file"; filename*=UTF-8\'\'%FF.pdf; filename="a.pdf"', "a.pdf"),
    ],
)
def test_a_name_is_read_however_a_client_writes_it(disposition: bytes, name: str) -> None:
    found = read(request_with(part(DISPOSITION + disposition) + END))

    assert found
    assert found[0] == name


@pytest.mark.parametrize("boundary", ["----=_Part_1_12.34", "a:b/c?d", "a@b", "{1-2}", "'abc'"])
def test_a_boundary_without_quotes_is_read(boundary: str) -> None:
    body = (file() + END).replace(BOUNDARY.encode(), boundary.encode())

    for kind in (f"multipart/form-data; boundary={boundary}; charset=utf-8", f'{FORM}"{boundary}"'):
        assert read(request_with(body, kind=kind)) is not None


def test_the_epilogue_is_ignored() -> None:
    assert read(request_with(file() + END + b"epilogue" + file())) is not None


def test_the_epilogue_is_bounded() -> None:
    with pytest.raises(Problem, match="at most") as refused:
        read(request_with(file() + END + bytes(MAX_BYTES + 2_000_000), length=None))

    assert refused.value.status_code == 413


def test_a_file_of_the_largest_size_is_accepted() -> None:
    assert read(request_with(file(bytes(MAX_BYTES)) + END)) is not None


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_a_too_large_file_is_413_as_soon_as_possible(length: str) -> None:
    body = file(bytes(MAX_BYTES + 900_000)) + END
    request = request_with(body, length=len(body) if length == "known" else None)

    with pytest.raises(Problem, match="300,000 bytes") as refused:
        read(request)

    assert (refused.value.status_code, refused.value.get_codes()) == (413, "too_large")
    assert request.META["wsgi.input"].read_bytes < MAX_BYTES + 2 * PIECE_BYTES


def test_a_too_long_content_length_is_413_unread() -> None:
    request = request_with(file() + END, length=MAX_BYTES + 1_000_001)

    with pytest.raises(Problem) as refused:
        read(request)

    assert refused.value.status_code == 413
    assert request.META["wsgi.input"].read_bytes == 0


@pytest.mark.parametrize("length", ["known", "unknown"])
@pytest.mark.parametrize(
    ("error", "expected"),
    [(TimeoutError(), (408, "slow_body")), (ConnectionResetError(), (400, "parse_error"))],
)
def test_a_lost_connection_is_not_an_end(
    length: str, error: OSError, expected: tuple[int, str]
) -> None:
    body = file()
    request = request_with(body, [], error, length=len(body) + 9 if length == "known" else None)

    with pytest.raises(Problem) as refused:
        read(request)

    assert (refused.value.status_code, refused.value.get_codes()) == expected


def test_the_member_error_names_the_cause() -> None:
    answer = exception_handler(no_file_problem(), {"request": RequestFactory().get("/")})

    assert answer
    assert (answer.status_code, answer.data["code"]) == (400, "no_file")
    assert answer.data["title"] == answer.data["error"] == "No file uploaded"


def with_token() -> tuple[HttpRequest, str]:
    """Return a large form of a browser with a CSRF cookie."""
    request = request_with(field("a") + file(bytes(MAX_BYTES)) + END)
    token = get_token(request)
    request.COOKIES["csrftoken"] = request.META["CSRF_COOKIE"]
    return request, token


def test_a_csrf_token_in_a_field_is_accepted() -> None:
    request, token = with_token()

    check_csrf_token(request, token)


@pytest.mark.parametrize("token", ["", "wrong", "x" * 64])
def test_a_wrong_csrf_token_is_refused_before_the_file_is_read(token: str) -> None:
    request, _ = with_token()
    form = MultipartForm(request, max_bytes=MAX_BYTES)
    form.file()

    with pytest.raises(Problem) as refused:
        check_csrf_token(request, token)

    assert (refused.value.status_code, refused.value.get_codes()) == (403, "csrf")
    assert request.META["wsgi.input"].read_bytes <= PIECE_BYTES


def test_the_csrf_check_alone_reads_nothing() -> None:
    request, token = with_token()

    check_csrf_token(request, token)

    assert request.META["wsgi.input"].read_bytes == 0


@pytest.fixture
def stranger() -> Client:
    """A client that invented a CSRF token, so that Django looks for it in the form."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.cookies["csrftoken"] = "x" * 32
    return client


def test_a_long_form_for_another_view_is_413_unread(stranger: Client) -> None:
    line = Line(b"", [], ConnectionResetError())

    answer = stranger.generic(
        "POST", "/theme", CONTENT_TYPE=TYPE, CONTENT_LENGTH="1000001", **{"wsgi.input": line}
    )

    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_django_reads_the_fields_of_a_short_form_but_no_file() -> None:
    request = request_with(field("csrfmiddlewaretoken", b"x") + file() + END)

    assert dict(request.POST) == {"csrfmiddlewaretoken": ["x"]}
    assert not request.FILES
