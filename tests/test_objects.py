"""Signed requests for objects, to the real S3 server and over connections that break."""

from __future__ import annotations

import io
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest

from jobs import storage
from jobs.errors import SourceChanged, SourceMissing, StorageUnavailable
from jobs.storage import abortable_connections
from jobs.storage.abortable_connections import Abort, StorageConnections
from jobs.storage.object_requests import ObjectRequests
from jobs.storage.signature import SignedBucket, Signer
from tests.faults.proxy import Proxy
from tests.test_signature import KEYS

MEGABYTE = bytes(range(256)) * 4096


def objects_at(
    url: str,
    *,
    attempts: int = 1,
    read_seconds: float = 5,
    secret_key: str = "",
    verify: str | None = None,
) -> ObjectRequests:
    bucket = storage.bucket()
    signer = Signer(bucket.access_key, secret_key or bucket.secret_key, bucket.region_name)
    return ObjectRequests(
        SignedBucket(url, bucket.bucket_name),
        signer,
        lambda: StorageConnections(url, read_seconds=read_seconds, most=16, verify=verify),
        attempts=attempts,
    )


@pytest.fixture
def objects(bucket: Any, settings: Any) -> ObjectRequests:
    return objects_at(settings.S3_ENDPOINT_URL)


@pytest.fixture
def proxy(bucket: Any, settings: Any) -> Iterator[Proxy]:
    with closing(Proxy(urlsplit(settings.S3_ENDPOINT_URL).port)) as proxy:
        yield proxy


def through(proxy: Proxy, **options: Any) -> ObjectRequests:
    return objects_at(f"http://127.0.0.1:{proxy.port}", **options)


def put(objects: ObjectRequests, key: str, body: Any) -> None:
    objects.put(key, body, content_type="text/plain")


# Requests


@pytest.mark.parametrize("key", [key for key in KEYS if ".." not in key and "//" not in key])
def test_an_object_can_have_any_name(objects: ObjectRequests, bucket: Any, key: str) -> None:
    key = f"raw/odd/{key.strip('/')}"

    put(objects, key, key.encode())

    assert b"".join(objects.read(key)) == key.encode()
    assert objects.head(key)["content-length"] == str(len(key.encode()))
    theirs = bucket.client.get_object(Bucket=bucket.bucket_name, Key=key)
    assert (theirs["Body"].read(), theirs["ContentType"]) == (key.encode(), "text/plain")


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 2 * 1024 * 1024 + 1])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_a_body_can_be_any_buffer_or_a_file(objects: ObjectRequests, kind: Any, size: int) -> None:
    content = (MEGABYTE * 3)[:size]

    put(objects, "raw/bodies/a", kind(content))

    chunks = list(objects.read("raw/bodies/a"))
    assert b"".join(chunks) == content
    assert all(len(chunk) <= 1024 * 1024 for chunk in chunks)


def test_parts_become_an_object(objects: ObjectRequests, bucket: Any) -> None:
    upload = storage.MultipartUpload.begin("raw/parts/a", content_type="text/plain")
    parts = [MEGABYTE * 5, memoryview(MEGABYTE * 5), io.BytesIO(b"end")]

    for number, part in enumerate(parts, 1):
        upload.put(number, part)
    upload.complete()

    assert b"".join(objects.read("raw/parts/a")) == MEGABYTE * 10 + b"end"


def test_an_object_that_does_not_exist_is_missing(objects: ObjectRequests) -> None:
    with pytest.raises(SourceMissing):
        list(objects.read("raw/none"))
    with pytest.raises(SourceMissing):
        objects.head("raw/none")
    with pytest.raises(SourceMissing):
        objects.put_part("raw/none", "0" * 32, 1, b"", gone=SourceMissing)
    with pytest.raises(StorageUnavailable):
        objects.put_part("raw/none", "0" * 32, 1, b"", gone=StorageUnavailable)


# Errors


def test_a_wrong_key_is_refused(objects: ObjectRequests, settings: Any) -> None:
    wrong = objects_at(settings.S3_ENDPOINT_URL, secret_key="wrong")

    with pytest.raises(StorageUnavailable, match="refused") as raised:
        list(wrong.read("raw/any"))

    assert "403 SignatureDoesNotMatch: " in str(raised.value.__cause__)


def test_a_wrong_clock_is_reported(
    objects: ObjectRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Mock(time=lambda: time.time() - 3600)
    monkeypatch.setattr("jobs.storage.object_requests.time", clock)

    with pytest.raises(StorageUnavailable, match="refused") as raised:
        put(objects, "raw/any", b"")

    assert "403 RequestTimeTooSkewed: " in str(raised.value.__cause__)


def test_one_attempt_is_one_request(proxy: Proxy) -> None:
    proxy.answer_errors(1, seed=1)

    with pytest.raises(StorageUnavailable, match="refused") as raised:
        put(through(proxy), "raw/any", MEGABYTE)

    assert "503 SlowDown: " in str(raised.value.__cause__)
    assert proxy.errors_answered == 1


def test_a_200_without_an_etag_is_an_error(proxy: Proxy) -> None:
    proxy.answer_errors(1, seed=1, status=200, code="Welcome")

    with pytest.raises(StorageUnavailable, match="did not confirm"):
        put(through(proxy), "raw/any", MEGABYTE)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_transient_errors_are_retried(proxy: Proxy, status: int) -> None:
    proxy.answer_errors(1, seed=1, status=status, code="InternalError")

    with pytest.raises(StorageUnavailable):
        through(proxy, attempts=3).head("raw/any")

    assert proxy.errors_answered == 3


def test_a_refusal_is_not_retried(proxy: Proxy) -> None:
    proxy.answer_errors(1, seed=1, status=403, code="AccessDenied")

    with pytest.raises(StorageUnavailable):
        through(proxy, attempts=3).head("raw/any")

    assert proxy.errors_answered == 1


@pytest.mark.parametrize("kind", [bytes, io.BytesIO])
def test_a_retry_sends_the_whole_body(proxy: Proxy, kind: Any) -> None:
    objects = through(proxy, attempts=3)
    proxy.cut_after(500_000, times=2)

    put(objects, "raw/again", kind(MEGABYTE))

    assert b"".join(objects.read("raw/again")) == MEGABYTE


# Connections that break


def test_a_closed_persistent_connection_is_not_an_attempt(proxy: Proxy) -> None:
    objects = through(proxy)
    put(objects, "raw/kept", b"kept")

    proxy.cut_after(1)  # it breaks when it is used again, which cannot be known before
    assert b"".join(objects.read("raw/kept")) == b"kept"

    proxy.reset()
    assert b"".join(objects.read("raw/kept")) == b"kept"
    assert proxy.connections == 3


def test_connections_are_reused(proxy: Proxy) -> None:
    objects = through(proxy)

    for _ in range(5):
        put(objects, "raw/kept", MEGABYTE)
        assert b"".join(objects.read("raw/kept")) == MEGABYTE
        objects.head("raw/kept")
        with pytest.raises(SourceMissing):
            list(objects.read("raw/none"))

    assert proxy.connections == 1


def test_a_store_that_does_not_respond_times_out(proxy: Proxy) -> None:
    objects = through(proxy, attempts=2, read_seconds=0.3)
    proxy.freeze()
    began = time.monotonic()

    with pytest.raises(StorageUnavailable, match="could not be reached"):
        objects.head("raw/any")

    assert 0.6 <= time.monotonic() - began < 10  # twice; with a shorter timeout


def test_a_store_that_comes_back_is_used_again(proxy: Proxy) -> None:
    objects = through(proxy, attempts=4)
    put(objects, "raw/back", b"back")
    proxy.refuse()
    with pytest.raises(StorageUnavailable, match="could not be reached"):
        list(objects.read("raw/back"))

    proxy.pass_on()

    assert b"".join(objects.read("raw/back")) == b"back"


def test_a_truncated_object_is_an_error(proxy: Proxy) -> None:
    objects = through(proxy)
    put(objects, "raw/broken", MEGABYTE * 4)
    proxy.cut_after(2_000_000, "client")

    with pytest.raises(StorageUnavailable, match="could not be reached"):
        list(objects.read("raw/broken"))


def test_reading_resumes_where_the_connection_broke(proxy: Proxy) -> None:
    objects = through(proxy, attempts=4)
    put(objects, "raw/broken", MEGABYTE * 4)
    proxy.cut_after(2_000_000, "client")

    chunks = []
    for chunk in objects.read("raw/broken", size_bytes=4 * len(MEGABYTE)):
        chunks.append(chunk)
        if len(chunks) == 2:
            proxy.cut_after(1_200_000, "client")  # a second time: there was progress meanwhile

    assert b"".join(chunks) == MEGABYTE * 4


def test_reading_resumes_after_a_timeout(proxy: Proxy) -> None:
    objects = through(proxy, attempts=4, read_seconds=0.5)
    put(objects, "raw/silent", MEGABYTE * 8)
    reading = objects.read("raw/silent")
    chunks = [next(reading)]
    proxy.freeze()
    threading.Timer(1, proxy.pass_on).start()

    chunks += reading

    assert b"".join(chunks) == MEGABYTE * 8


@pytest.mark.parametrize("size", [8, 1, 20])
def test_an_object_that_changed_meanwhile_is_never_mixed_with_the_old_one(
    proxy: Proxy, objects: ObjectRequests, size: int
) -> None:
    cut = through(proxy, attempts=4)
    put(cut, "raw/changed", MEGABYTE * 8)
    proxy.cut_after(2_000_000, "client", times=3)  # the first response may already be complete
    reading = cut.read("raw/changed", size_bytes=8 * len(MEGABYTE))
    next(reading)
    put(objects, "raw/changed", bytes(len(MEGABYTE)) * size)

    with pytest.raises(SourceChanged):
        list(reading)


def test_an_object_deleted_meanwhile_is_missing(
    proxy: Proxy, objects: ObjectRequests, bucket: Any
) -> None:
    cut = through(proxy, attempts=4)
    put(cut, "raw/vanished", MEGABYTE * 8)
    proxy.cut_after(2_000_000, "client", times=3)  # the first response may already be complete
    reading = cut.read("raw/vanished")
    next(reading)
    bucket.delete("raw/vanished")

    with pytest.raises(SourceMissing):
        list(reading)


def test_an_object_of_another_size_than_recorded_is_not_read(objects: ObjectRequests) -> None:
    put(objects, "raw/size", MEGABYTE)

    with pytest.raises(SourceChanged):
        next(objects.read("raw/size", size_bytes=len(MEGABYTE) - 1))


@pytest.mark.parametrize("kind", [bytes, io.BytesIO])
def test_sending_a_body_may_take_longer_than_the_connect_timeout(
    proxy: Proxy, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abortable_connections, "CONNECT_SECONDS", 1)
    objects = through(proxy, read_seconds=3)
    proxy.throttle(3_000_000)
    body = MEGABYTE * 12  # 4 s: longer than either timeout
    before = storage.traffic_bytes()

    put(objects, "raw/slow", kind(body))

    assert storage.traffic_bytes() - before >= len(body)
    assert storage.object_exists("raw/slow", len(body))


def test_reading_can_stop_early(proxy: Proxy) -> None:
    objects = through(proxy)
    put(objects, "raw/early", MEGABYTE * 4)

    reading = objects.read("raw/early")
    next(reading)
    reading.close()  # type: ignore[attr-defined] # it is a generator

    assert b"".join(objects.read("raw/early")) == MEGABYTE * 4


@pytest.mark.parametrize("phase", ["head", "body"])
def test_another_thread_can_abort_a_request(proxy: Proxy, phase: str) -> None:
    objects, abort = through(proxy, attempts=4, read_seconds=60), Abort()
    put(objects, "raw/abort", MEGABYTE * 8)
    if phase == "body":
        proxy.throttle(100_000)
    else:
        proxy.freeze()
    errors = []

    def read() -> None:
        with abort.watched():
            try:
                list(objects.read("raw/abort"))
            except StorageUnavailable as error:
                errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.3)
    abort.set()
    thread.join(15)  # else it would wait longer for the store

    assert not thread.is_alive()
    assert len(errors) == 1
    proxy.pass_on()
    assert b"".join(objects.read("raw/abort")) == MEGABYTE * 8


# Threads and processes


def test_many_threads_can_send_requests_at_once(objects: ObjectRequests) -> None:
    def ask(number: int) -> bool:
        put(objects, f"raw/threads/{number}", str(number).encode())
        return b"".join(objects.read(f"raw/threads/{number}")) == str(number).encode()

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(100)))


def test_a_forked_process_opens_its_own_connections(proxy: Proxy) -> None:
    objects = through(proxy)
    put(objects, "raw/fork", b"fork")

    child = os.fork()
    if not child:
        right = all(b"".join(objects.read("raw/fork")) == b"fork" for _ in range(20))
        os._exit(0 if right else 1)
    for _ in range(20):
        assert b"".join(objects.read("raw/fork")) == b"fork"

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert proxy.connections == 2


# Proxies and certificates


def test_a_proxy_is_found_as_botocore_finds_it(
    objects: ObjectRequests, bucket: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store accepts requests as a proxy gets them, with the target's host."""
    monkeypatch.setenv("HTTP_PROXY", settings.S3_ENDPOINT_URL)
    monkeypatch.setenv("http_proxy", settings.S3_ENDPOINT_URL)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    behind = objects_at("http://store.invalid:9000")
    put(behind, "raw/behind a proxy", b"behind")

    assert b"".join(objects.read("raw/behind a proxy")) == b"behind"
    assert b"".join(behind.read("raw/behind a proxy")) == b"behind"

    monkeypatch.setenv("no_proxy", "store.invalid")
    with pytest.raises(StorageUnavailable):
        objects_at("http://store.invalid:9000").head()


class TlsHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 and its key."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def tls_port(certificate: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), TlsHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *args: None  # type: ignore[method-assign] # who did not trust it
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_store_with_an_untrusted_certificate_is_refused(
    bucket: Any, tls_port: int, certificate: Path
) -> None:
    url, trusted = f"https://127.0.0.1:{tls_port}", str(certificate)

    assert objects_at(url, verify=trusted).head("raw/a")["content-length"] == "7"
    with pytest.raises(StorageUnavailable, match="could not be reached") as raised:
        objects_at(url).head("raw/a")
    assert "CERTIFICATE_VERIFY_FAILED" in str(raised.value.__cause__)
    with pytest.raises(StorageUnavailable, match="could not be reached"):
        objects_at(url.replace("127.0.0.1", "localhost"), verify=trusted).head("raw/a")
