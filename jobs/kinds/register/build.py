"""Register the objects of a bucket: list them, read each new or changed one once, write rows.

While a page of the list is read, the next one is begun: two pages are in memory. A further attempt
continues behind the last page that was written.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from jobs.kinds.register.catalogue import Catalogue, KnownFile
from jobs.storage import ObjectExaminer, PendingObject, StoredObject, list_object_pages
from jobs.workspace import Workspace

SAVE_SECONDS = 5  # between two checkpoints


@dataclass
class Counts:
    """What became of the objects. `skipped` changed while they were read."""

    registered: int = 0
    unchanged: int = 0
    missing: int = 0
    skipped: int = 0

    @property
    def objects(self) -> int:
        """How many were listed."""
        return self.registered + self.unchanged + self.skipped

    def __str__(self) -> str:
        parts = [f"{count:,} {name}" for name, count in asdict(self).items() if count]
        return ", ".join(parts) or "no objects"


@dataclass
class Batch:
    """A page of the list whose new and changed objects are being read."""

    upto: str
    unchanged: int = 0
    to_show: list[int] = field(default_factory=list)
    pending: list[tuple[StoredObject, PendingObject]] = field(default_factory=list)


def register_objects(catalogue: Catalogue, work: Workspace) -> None:
    """Make the rows below the prefix those of the objects that are there.

    Raises StorageUnavailable, BucketMissing, SourceForbidden.
    """
    work.plan(None, "objects")
    _Registration(catalogue, work).run()


class _Registration:
    def __init__(self, catalogue: Catalogue, work: Workspace) -> None:
        self._catalogue, self._work = catalogue, work
        saved = work.checkpoint or {}
        self._listed_upto: str = saved.get("after", "")
        self._counts = Counts(**saved.get("counts", {}))
        self._saved_at = time.monotonic()

    def run(self) -> None:
        catalogue = self._catalogue
        pages = list_object_pages(
            catalogue.prefix, bucket_name=catalogue.bucket, after=self._listed_upto
        )
        with ObjectExaminer(catalogue.bucket) as examiner:
            begun: Batch | None = None
            for page in pages:
                if page:
                    following = self._begin(page, examiner)
                    self._finish(begun)
                    begun = following
            self._finish(begun)
            for rows in catalogue.known(self._listed_upto, None):
                self._hide_missing(rows, examiner)
        self._work.plan(self._counts.objects, "objects")
        self._work.note(**asdict(self._counts))
        self._work.say(f"{self._counts}")

    def _begin(self, page: list[StoredObject], examiner: ObjectExaminer) -> Batch:
        """Compare a page with the rows, and begin to read what is new or has changed."""
        catalogue, after, upto = self._catalogue, self._listed_upto, page[-1].key
        found = {each.key: each for each in page if catalogue.accepts(each.key)}
        batch = Batch(upto)
        for rows in catalogue.known(after, upto):
            self._hide_missing([row for row in rows if row.key not in found], examiner)
            for row in rows:
                if not row.is_registered:
                    found.pop(row.key, None)
                elif row.key in found and catalogue.is_current(row, found[row.key]):
                    del found[row.key]
                    batch.unchanged += 1
                    if catalogue.is_seen_by_others(row):
                        batch.to_show.append(row.pk)
        batch.pending = [(each, examiner.examine(each)) for each in found.values()]
        self._listed_upto = upto
        return batch

    def _hide_missing(self, rows: Sequence[KnownFile], examiner: ObjectExaminer) -> None:
        """Mark the rows whose objects are gone. Each is looked up: it may just have been stored."""
        shown = [row for row in rows if row.is_registered and not row.is_missing]
        pending = [(row, examiner.look_up(row.key)) for row in shown]
        gone = [row.pk for row, each in pending if not each.exists()]
        self._catalogue.hide(gone)
        self._counts.missing += len(gone)

    def _finish(self, batch: Batch | None) -> None:
        """Write the rows of a page whose objects were read."""
        if batch is None:
            return
        examined = [(found, each.wait()) for found, each in batch.pending]
        written = [(found, content) for found, content in examined if content]
        self._catalogue.write(written)
        self._catalogue.show(batch.to_show)
        self._counts.registered += len(written)
        self._counts.unchanged += batch.unchanged
        self._counts.skipped += len(examined) - len(written)
        self._work.advance(len(examined) + batch.unchanged)
        self._work.say(f"{self._counts}")
        if time.monotonic() - self._saved_at > SAVE_SECONDS:
            saved = {"after": batch.upto, "counts": asdict(self._counts)}
            self._work.save_checkpoint(saved)
            self._saved_at = time.monotonic()
