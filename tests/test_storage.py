"""Object storage, with the real S3 server."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobs import storage
from jobs.errors import SourceMissing, StorageUnavailable
from tests.test_unsuited_servers import use_store

PART = storage.MIN_PART_BYTES
CHUNK = bytes(range(256)) * 4096


# Writes 50 MB in total to as many objects as the argument says, each in a thread. Prints by how
# many bytes the process grows at most, and by how many it has grown at the end.
WRITE = """
import sys, threading
import django; django.setup()
from pathlib import Path
from jobs import storage

def resident_bytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

def write(number, count):
    output = storage.S3Output(
        f"results/memory/1/{number}",
        content_type="",
        expected_bytes=0,
        is_one_of_many=count > 1,
    )
    for _ in range(400 // count):
        output.write(bytes(125_000))
    output.finish()
    output.discard()

count = int(sys.argv[1])
storage.bucket().client  # makes it
bytearray(24_000_000)  # freed: malloc now takes smaller blocks from heaps, and keeps them
before = resident_bytes("VmRSS")
threads = [threading.Thread(target=write, args=[number, count]) for number in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(resident_bytes("VmHWM") - before, resident_bytes("VmRSS") - before)
"""


def output(key: str, expected_bytes: int = 0) -> storage.S3Output:
    return storage.S3Output(key, content_type="text/plain", expected_bytes=expected_bytes)


def objects(bucket: Any, prefix: str) -> list[str]:
    found = bucket.client.list_objects_v2(Bucket=bucket.bucket_name, Prefix=prefix)
    return [item["Key"] for item in found.get("Contents", [])]


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART + 17])
def test_written_bytes_are_stored(bucket: Any, size: int) -> None:
    key, content = f"results/sizes/1/{size}", (CHUNK * (size // len(CHUNK) + 1))[:size]
    out = output(key)

    for start in range(0, size, 1_000_003):
        out.write(content[start : start + 1_000_003])
    out.finish()

    assert (out.size_bytes, out.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert b"".join(storage.read_object(key)) == content
    head = bucket.client.head_object(Bucket=bucket.bucket_name, Key=key)
    assert head["ContentType"] == "text/plain"


def test_an_unfinished_object_is_invisible(bucket: Any) -> None:
    out = output("results/half/1/a")

    out.write(bytes(2 * PART))

    assert objects(bucket, "results/half/") == []
    out.discard()


@pytest.mark.parametrize("size", [10, 2 * PART])
@pytest.mark.parametrize("finished", [True, False])
def test_discard_leaves_nothing(bucket: Any, size: int, finished: bool) -> None:
    out = output("results/discard/1/a")
    out.write(bytes(size))
    if finished:
        out.finish()

    out.discard()

    assert objects(bucket, "results/discard/") == []
    assert list(storage.list_open_uploads("results/discard/")) == []


def test_parts_grow_so_that_ten_thousand_suffice() -> None:
    assert output("k")._part_bytes == PART
    huge = 5 * 1024**4
    assert huge / output("k", huge)._part_bytes <= 9_000


@pytest.mark.parametrize(
    ("count", "most_bytes"),
    [
        (1, 4 * PART),  # two in flight and one filling; the rest is the client's own
        (8, 8 * 1.3 * storage.SMALL_PART_BYTES),  # one each
    ],
)
def test_memory_holds_a_few_parts_and_only_while_writing(
    bucket: Any, count: int, most_bytes: float
) -> None:
    process = subprocess.run(
        [sys.executable, "-c", WRITE, str(count)], capture_output=True, text=True, check=True
    )

    peak, left = map(int, process.stdout.split())
    assert peak < most_bytes
    assert left < PART


def test_a_missing_object_is_reported(bucket: Any) -> None:
    with pytest.raises(SourceMissing):
        list(storage.read_object("results/none"))
    with pytest.raises(SourceMissing):
        storage.object_size("results/none")


def test_a_store_that_is_down_is_unavailable(settings: Any) -> None:
    use_store(settings, "http://127.0.0.1:1")

    with pytest.raises(StorageUnavailable) as raised:
        list(storage.read_object("results/any"))
    assert raised.value.retryable


def test_a_part_that_fails_fails_the_writer(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*args: Any, **kwargs: Any) -> None:
        raise StorageUnavailable("The file store could not be reached.")

    monkeypatch.setattr(bucket.objects, "put_part", slow)  # the method that all threads share
    out = output("results/fails/1/a")

    with pytest.raises(StorageUnavailable):
        out.write(bytes(5 * PART))
    out.discard()
    assert list(storage.list_open_uploads("results/fails/")) == []


def test_an_aborted_upload_is_not_a_missing_source(bucket: Any) -> None:
    out = output("results/aborted/1/a")
    out.write(bytes(2 * PART))
    storage.delete_all_objects_but([], prefix="results/aborted/")

    with pytest.raises(StorageUnavailable):
        out.finish()


def test_collection_deletes_only_unwanted_objects_of_the_prefix(bucket: Any) -> None:
    for key in ("results/gc/1/keep", "results/gc/1/lost", "results/gc/2/lost", "results/gcx/1/a"):
        out = output(key)
        out.write(b"x")
        out.finish()
    output("results/gc/1/open").write(bytes(2 * PART))

    gone = storage.delete_all_objects_but(["results/gc/1/keep"], prefix="results/gc/1/")

    assert gone == 2
    left = objects(bucket, "results/gc")
    assert left == ["results/gc/1/keep", "results/gc/2/lost", "results/gcx/1/a"]
    assert list(storage.list_open_uploads("results/gc/1/")) == []


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.zip", "attachment; filename=\"a.zip\"; filename*=UTF-8''a.zip"),
        ('a"b\\c.zip', "attachment; filename=\"a_b_c.zip\"; filename*=UTF-8''a%22b%5Cc.zip"),
        ("é\r\n.zip", "attachment; filename=\"___.zip\"; filename*=UTF-8''%C3%A9%0D%0A.zip"),
    ],
)
def test_a_name_cannot_break_out_of_its_header(name: str, header: str) -> None:
    assert storage.attachment_header(name) == header


def test_parts_are_sent_while_others_are_written(bucket: Any) -> None:
    out = output("results/beside/1/a")
    out.write(bytes(3 * PART))

    assert any(thread.name.startswith("part") for thread in threading.enumerate())
    out.discard()


def test_threads_share_one_client() -> None:
    store, start = storage.BucketStorage(), threading.Barrier(10)

    def client(_: int) -> Any:
        start.wait()
        return store.client

    with ThreadPoolExecutor(10) as threads:
        clients = set(threads.map(client, range(10)))

    assert len(clients) == 1


def test_second_client_takes_little_memory() -> None:
    kept = [storage.BucketStorage().client]

    tracemalloc.start()
    kept.append(storage.SlowStorage().client)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert taken < 2_000_000
