"""Sends the missing chunks of an upload, several at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from downloads_client.chunk_form import ChunkForm
from downloads_client.failures import NotRead
from downloads_client.progress import ProgressDisplay
from downloads_client.service import Service
from downloads_client.service_responses import UploadResponse

SHOW_SECONDS = 0.1


class ChunkSender:
    """Sends chunks in daemon threads, and shows their progress in the caller's.

    `new_service` returns a Service for one thread, whose requests are tried again by a Retry that
    calls the given function before each pause.
    """

    def __init__(
        self,
        file: BinaryIO,
        path: Path,
        upload: UploadResponse,
        display: ProgressDisplay,
        new_service: Callable[[Callable[[str, float], None]], Service],
    ) -> None:
        self._file, self._path, self._upload = file, path, upload
        self._display, self._new_service = display, new_service
        # A chunk that is not missing is sent if none is: the response then starts the job.
        self._left = upload.missing[::-1] or [0]
        self._sent = dict.fromkeys(self._left, 0)  # bytes of each, in its present try
        self._received = upload.size - sum(map(upload.size_of, self._left))
        self._pause: tuple[str, float] | None = None
        self._failure: BaseException | None = None
        self._lock = threading.Lock()

    def run(self, threads: int) -> None:
        """Return when the service has all chunks. Raises the first Failure of a thread.

        After that, or a KeyboardInterrupt, the threads end after their present request.
        """
        count = min(threads, len(self._left))
        workers = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        try:
            for worker in workers:
                worker.start()
            while any(worker.is_alive() for worker in workers) and not self._failure:
                self._show()
                next(filter(threading.Thread.is_alive, workers), workers[0]).join(SHOW_SECONDS)
        finally:
            with self._lock:
                self._left.clear()
        if self._failure:
            raise self._failure
        self._show()

    def _show(self) -> None:
        with self._lock:
            sent, pause = self._received + sum(self._sent.values()), self._pause
        if pause:
            self._display.show_retry(*pause)
        else:
            self._display.show_transfer(sent, self._upload.size, "Uploading")

    def _work(self) -> None:
        try:
            service = self._new_service(self._on_pause)
            while (chunk := self._next()) is not None:
                service.send_chunk(self._form(chunk))
                self._on_sent(chunk, self._upload.size_of(chunk))
        except BaseException as error:
            with self._lock:
                self._failure = self._failure or error

    def _next(self) -> int | None:
        with self._lock:
            return self._left.pop() if self._left else None

    def _form(self, chunk: int) -> ChunkForm:
        upload = self._upload
        size = upload.size_of(chunk)
        content = os.pread(self._file.fileno(), size, upload.begin_of(chunk))
        if len(content) != size:
            raise NotRead(f"{self._path} changed while it was uploaded.", "changed")
        fields = {"jobId": upload.id, "totalChunks": upload.chunks, "chunkIndex": chunk}
        return ChunkForm(fields, content, lambda sent: self._on_sent(chunk, min(sent, size)))

    def _on_sent(self, chunk: int, sent: int) -> None:
        with self._lock:
            self._sent[chunk] = sent
            if sent:
                self._pause = None

    def _on_pause(self, reason: str, seconds: float) -> None:
        with self._lock:
            self._pause = reason, seconds
