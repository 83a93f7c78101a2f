"""Sample files for the catalogue, with the same bytes on every machine."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import random
import struct
import tarfile
import wave
import zlib
from array import array
from collections.abc import Callable, Iterator

FIRST_FILE_ID = 70_000


def demo_files() -> Iterator[tuple[int, str, str, Callable[[], bytes]]]:
    """Yield file id, name, content type and a function for the content; about 60 MB in all."""
    yield from ((FIRST_FILE_ID + n, *entry) for n, entry in enumerate(_FILES))


def _png(width: int, height: int) -> bytes:
    chance = random.Random("png")
    rows = bytearray()
    for y in range(height):
        noise = chance.randbytes(width * 3)
        rows += b"\x00" + bytes((n & 15) + (y * 200 // height) for n in noise)
    return _png_file(width, height, bytes(rows))


def _png_file(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(rows, 6)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _bmp(width: int, height: int) -> bytes:
    pixels = random.Random("bmp").randbytes(width * height * 3)
    size = 54 + len(pixels)
    head = struct.pack("<2sIHHI", b"BM", size, 0, 0, 54)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    return head + info + pixels


def _wav(seconds: int, pitch_hz: int) -> bytes:
    rate = 44_100
    period = array(
        "h", (int(12_000 * math.sin(math.tau * pitch_hz * t / rate)) for t in range(rate))
    )
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(period.tobytes() * seconds)
    return out.getvalue()


def _measurements(rows: int) -> bytes:
    chance, out = random.Random("csv"), io.StringIO()
    table = csv.writer(out)
    table.writerow(["number", "station", "celsius", "hectopascal"])
    for number in range(rows):
        station = f"station-{number % 97:02}"
        table.writerow(
            [number, station, f"{chance.gauss(12, 8):.2f}", f"{chance.gauss(1013, 9):.1f}"]
        )
    return out.getvalue().encode()


def _events(lines: int) -> bytes:
    chance = random.Random("ndjson")
    kinds = ["opened", "read", "saved", "closed"]
    return b"".join(
        json.dumps({"n": n, "event": chance.choice(kinds), "ms": chance.randrange(900)}).encode()
        + b"\n"
        for n in range(lines)
    )


def _text(words: int) -> str:
    chance = random.Random("text")
    known = [
        "a",
        "file",
        "that",
        "takes",
        "long",
        "is",
        "asked",
        "for",
        "once",
        "polled",
        "often",
        "and",
        "fetched",
        "when",
        "it",
        "is",
        "ready",
    ]
    return " ".join(chance.choice(known) for _ in range(words))


def _pdf(pages: int) -> bytes:
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(pages))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {pages} /Kids [{kids}] >>",
    ]
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for n in range(pages):
        stream = f"BT /F1 24 Tf 72 720 Td (Page {n + 1} of {pages}) Tj ET"
        page = f"/Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * n} 0 R"
        objects.append(f"<< {page} /Resources << /Font << /F1 3 0 R >> >> >>")
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    end += f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + end.encode()


def _tar(members: int, bytes_each: int) -> bytes:
    chance, out = random.Random("tar"), io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(members):
            member = tarfile.TarInfo(f"frames/{number:03}.raw")
            member.size = bytes_each
            archive.addfile(member, io.BytesIO(chance.randbytes(bytes_each)))
    return out.getvalue()


def _svg() -> bytes:
    circles = "".join(
        f'<circle cx="50" cy="50" r="{r}" fill="none" stroke="navy"/>' for r in range(4, 48, 4)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{circles}</svg>\n'.encode()
    )


def _page() -> bytes:
    text = _text(2_000)
    return f"<!doctype html><title>Notes</title><h1>Notes</h1><p>{text}</p>\n".encode()


_FILES: list[tuple[str, str, Callable[[], bytes]]] = [
    ("measurements-2026-11.csv", "text/csv", lambda: _measurements(200_000)),
    ("facade-east.png", "image/png", lambda: _png(1_200, 800)),
    ("handbook.pdf", "application/pdf", lambda: _pdf(240)),
    ("interview.wav", "audio/wav", lambda: _wav(180, 220)),
    ("frames.tar", "application/x-tar", lambda: _tar(64, 200_000)),
    ("roof-detail.bmp", "image/bmp", lambda: _bmp(1_800, 1_200)),
    ("events.ndjson", "application/x-ndjson", lambda: _events(80_000)),
    ("events.ndjson.gz", "application/gzip", lambda: gzip.compress(_events(20_000), mtime=0)),
    ("minutes.txt", "text/plain", lambda: _text(40_000).encode()),
    ("sketch.svg", "image/svg+xml", _svg),
    ("notes.html", "text/html", _page),
    ("tuning.wav", "audio/wav", lambda: _wav(60, 440)),
    ("survey.bin", "application/octet-stream", lambda: random.Random("bin").randbytes(7_000_000)),
    ("empty.txt", "text/plain", lambda: b""),
]
