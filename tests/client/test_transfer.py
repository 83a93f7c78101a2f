"""The transfer of a file from a store that drops connections, changes, lies or is away."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from downloads_client.failures import Gone, NotWritten, Unreachable, WrongBytes
from downloads_client.partial_file import PartialFile
from downloads_client.retry import Retry
from downloads_client.service_responses import DownloadResult
from downloads_client.transfer import Transfer
from tests.client.fake import Fake, Stored, problem, response

CONTENT = os.urandom(300_000)
OTHER = os.urandom(300_000)
CHUNK = 32 * 1024


class Target:
    """A partial file, and the store to fetch it from."""

    def __init__(self, folder: Path, fake: Fake) -> None:
        self.path = folder / "2 files.zip.part"
        self.fake = fake
        self.result_count = 0
        self.content = CONTENT

    def result(self) -> DownloadResult:
        self.result_count += 1
        path = (
            f"/store/{self.result_count}"
            if f"/store/{self.result_count}" in self.fake.script
            else "/store"
        )
        size, digest = len(self.content), sha256(self.content).hexdigest()
        return DownloadResult(self.fake.url + path, "2 files.zip", size, digest)

    def fetch(self, retry_for: float = 20) -> bytes:
        with PartialFile(self.path) as part:
            retry = Retry(retry_for, lambda reason, seconds: None)
            Transfer(part, self.result, retry, lambda done, total: None).run(self.result())
        return self.path.read_bytes()


@pytest.fixture
def target(tmp_path: Path, fake: Fake) -> Target:
    return Target(tmp_path, fake)


def test_a_dropped_connection_is_resumed_where_it_broke(target: Target, fake: Fake) -> None:
    store = Stored(CONTENT, cuts=[100_000, 100_000])
    fake.on("/store", store)

    assert target.fetch() == CONTENT

    assert store.sent < len(CONTENT) + 2 * CHUNK
    ranges = [request.headers["Range"] for request in fake.to("/store")]
    assert ranges[0] is None
    assert ranges[1] == f"bytes={100_000 // CHUNK * CHUNK}-"
    assert fake.to("/store")[1].headers["If-Range"] == '"one"'


def test_the_partial_file_of_an_earlier_process_is_resumed(target: Target, fake: Fake) -> None:
    store = Stored(CONTENT)
    fake.on("/store", store)
    target.path.write_bytes(CONTENT[:200_000])

    assert target.fetch() == CONTENT
    assert store.sent == 100_000


def test_a_complete_partial_file_sends_no_request(target: Target, fake: Fake) -> None:
    target.path.write_bytes(CONTENT)

    assert target.fetch() == CONTENT
    assert fake.requests == []


def test_an_empty_file_is_a_file(target: Target, fake: Fake) -> None:
    target.content = b""

    assert target.fetch() == b""
    assert fake.requests == []


def test_an_object_that_changes_meanwhile_is_fetched_from_zero(target: Target, fake: Fake) -> None:
    old, new = Stored(OTHER, cuts=[100_000]), Stored(CONTENT, etag='"two"')
    fake.on("/store", old, new)

    assert target.fetch() == CONTENT
    assert new.sent == len(CONTENT)


def test_a_store_without_ranges_is_fetched_from_zero(target: Target, fake: Fake) -> None:
    fake.on("/store", Stored(CONTENT, takes_ranges=False, cuts=[100_000]))

    assert target.fetch() == CONTENT


def test_a_wrong_beginning_is_fetched_once_more_from_zero(target: Target, fake: Fake) -> None:
    store = Stored(CONTENT)
    fake.on("/store", store)
    target.path.write_bytes(OTHER[:200_000])

    assert target.fetch() == CONTENT
    assert store.sent == 100_000 + len(CONTENT)


def test_a_partial_file_longer_than_the_file_is_fetched_from_zero(
    target: Target, fake: Fake
) -> None:
    fake.on("/store", Stored(CONTENT))
    target.path.write_bytes(CONTENT + b"more")

    assert target.fetch() == CONTENT


@pytest.mark.parametrize("wrong", [OTHER, CONTENT[:-1], CONTENT + b"!", b""])
@pytest.mark.parametrize("begun", [b"", CONTENT[:1000]])
def test_other_bytes_are_refused_and_deleted(
    target: Target, fake: Fake, wrong: bytes, begun: bytes
) -> None:
    fake.on("/store", Stored(wrong))
    target.path.write_bytes(begun)

    with pytest.raises(WrongBytes):
        target.fetch()

    assert not target.path.exists()
    assert len(fake.requests) <= 2


def test_an_endless_response_is_cut_off(target: Target, fake: Fake) -> None:
    def for_ever(handler: object) -> None:
        handler.send(200, b"", Transfer_Encoding="chunked", Content_Length="")  # type: ignore
        while True:
            handler.wfile.write(b"8000\r\n" + bytes(0x8000) + b"\r\n")  # type: ignore

    fake.on("/store", for_ever)  # type: ignore[arg-type]

    with pytest.raises(WrongBytes):
        target.fetch()


def test_an_expired_url_is_renewed(target: Target, fake: Fake) -> None:
    store = Stored(CONTENT, cuts=[100_000])
    fake.on("/store/1", store, response(b"<Error/>", 403))
    fake.on("/store", store)

    assert target.fetch() == CONTENT
    assert store.sent < len(CONTENT) + CHUNK


def test_a_store_that_stays_away_is_given_up_and_the_part_kept(
    target: Target, fake: Fake, no_pauses: list[float]
) -> None:
    fake.on("/store", Stored(CONTENT, cuts=[100_000]), problem(503, "SlowDown", ""))

    with pytest.raises(Unreachable, match="503"):
        target.fetch(retry_for=20)

    assert 100_000 - CHUNK < target.path.stat().st_size <= 100_000
    assert 10 < sum(no_pauses) <= 20


def test_the_retry_after_of_the_store_is_obeyed(
    target: Target, fake: Fake, no_pauses: list[float]
) -> None:
    fake.on("/store", problem(503, "SlowDown", "", Retry_After="7"), Stored(CONTENT))

    assert target.fetch() == CONTENT
    assert no_pauses == [7]


def test_retries_start_over_with_every_new_byte(
    target: Target, fake: Fake, no_pauses: list[float]
) -> None:
    fake.on("/store", Stored(CONTENT, cuts=[40_000] * 7))

    assert target.fetch(retry_for=1) == CONTENT
    assert no_pauses == [0.5] * 7


def test_a_store_that_always_cuts_at_one_point_is_given_up(target: Target, fake: Fake) -> None:
    fake.on("/store", Stored(CONTENT, takes_ranges=False, cuts=[100_000] * 100))

    with pytest.raises(Unreachable):
        target.fetch(retry_for=20)


def test_a_file_created_again_meanwhile_is_fetched_from_zero(target: Target, fake: Fake) -> None:
    def cut(handler: object) -> None:
        Stored(OTHER, cuts=[100_000])(handler)  # type: ignore[arg-type]
        target.content = CONTENT

    fake.on("/store", cut, Stored(CONTENT))  # type: ignore[arg-type]
    target.content = OTHER

    assert target.fetch() == CONTENT


def test_a_file_that_is_deleted_meanwhile_is_gone(target: Target, fake: Fake) -> None:
    fake.on("/store", response(b"<Error/>", 404))
    known = target.result()

    def gone() -> DownloadResult:
        raise Gone("The file no longer exists.", "artifact_gone")

    with PartialFile(target.path) as part:
        retry = Retry(20, lambda reason, seconds: None)
        transfer = Transfer(part, gone, retry, lambda done, total: None)
        with pytest.raises(Gone):
            transfer.run(known)


def test_a_store_that_redirects_without_end_is_given_up(target: Target, fake: Fake) -> None:
    fake.on("/store", response(b"", 302, Location="/store"))

    with pytest.raises(Unreachable, match="too many redirects"):
        target.fetch()


@pytest.mark.parametrize("netrc", [b"machine 127.0.0.1 login me password secret", b"machine \xff"])
def test_a_redirect_takes_no_password_of_netrc_along(
    target: Target, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, netrc: bytes
) -> None:
    (tmp_path / "netrc").write_bytes(netrc)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    fake.on("/store", response(b"", 302, Location="/there"))
    fake.on("/there", Stored(CONTENT))

    target.fetch()

    assert "Authorization" not in fake.to("/there")[0].headers


@pytest.mark.parametrize("where", ["http://[", "http://a..b/", "http://a:x/", "/\xff"])
def test_a_redirect_to_no_address_is_a_failure(target: Target, fake: Fake, where: str) -> None:
    fake.on("/store", response(b"", 302, Location=where))

    with pytest.raises(Unreachable, match="could not be reached"):
        target.fetch(retry_for=0)


def test_a_range_beyond_all_numbers_is_a_failure(target: Target, fake: Fake) -> None:
    fake.on("/store", response(b"x", 206, Content_Range=f"bytes {'9' * 5000}-1/8"))

    with pytest.raises(Unreachable, match="returned 206"):
        target.fetch(retry_for=0)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://", "nonsense", "http://[::1", "http://a..b/"]
)
def test_an_address_that_is_none_is_a_failure(target: Target, url: str) -> None:
    strange = DownloadResult(url, "x", 1, "")

    with PartialFile(target.path) as part:
        retry = Retry(0, lambda reason, seconds: None)
        transfer = Transfer(part, lambda: strange, retry, lambda done, total: None)
        with pytest.raises(Unreachable) as caught:
            transfer.run(strange)

    assert "passwd" not in str(caught.value)


def test_two_processes_never_write_one_partial_file(target: Target) -> None:
    with PartialFile(target.path), pytest.raises(NotWritten, match="Another process"):
        PartialFile(target.path)


def test_the_store_is_sent_no_token_and_no_password(
    target: Target, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    fake.on("/store", Stored(CONTENT))

    target.fetch()

    assert "Authorization" not in fake.requests[0].headers
