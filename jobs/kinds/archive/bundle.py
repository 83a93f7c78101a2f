"""Bundle: the base of kinds that make a zip of files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.errors import ArchiveTooLarge, NoSources, SourceMissing
from jobs.kinds.archive.build import BundleParams, build_zip
from jobs.kinds.base import JobParams, Kind
from jobs.models import DownloadJob
from jobs.workspace import Source, Workspace


class Bundle(Kind):
    """A zip of files that lie in the service's bucket, or in another one of the same store.

    A subclass says which, in `sources`. Its `default_name` is the name of the zip.
    """

    content_type = "application/zip"
    suffix = ".zip"
    max_sources: int = settings.MAX_FILES_PER_BUNDLE

    def sources(self, params: JobParams, owner: User) -> Iterable[Source]:
        """Return the files, in the order of the zip. Check here that the owner may read them.

        It may be a generator, which is not read beyond `max_sources`. Each attempt calls it. Raises
        a BuildError.
        """
        raise NotImplementedError

    def load(self, job: DownloadJob) -> BundleParams:
        found = (_checked(source, job) for source in self.sources(job.params, _owner_of(job)))
        sources = tuple(islice(found, self.max_sources + 1))
        if not sources:
            raise NoSources("There are no files for this request.")
        if len(sources) > self.max_sources:
            raise ArchiveTooLarge(f"A zip can have at most {self.max_sources:,} files.")
        # Otherwise the total may be that of an earlier attempt.
        is_measured = job.total is not None and self.stored_files(job.params) is not None
        return BundleParams(sources, is_measured=is_measured)

    def build(self, loaded: BundleParams, work: Workspace) -> None:
        build_zip(loaded, work)


def _owner_of(job: DownloadJob) -> User:
    """Return the owner. Its fields are read from the database when they are used, except its id."""
    if DownloadJob.owner.is_cached(job):
        return job.owner
    return get_user_model().from_db("default", ["id"], [job.owner_id])


def _checked(source: Source, job: DownloadJob) -> Source:
    """Return the source with a time that has a zone. Raises SourceMissing if it has no key."""
    if not source.key:  # as of an empty FileField
        raise SourceMissing(f"{source.display_name} {SourceMissing.problem}")
    made_at = source.made_at or job.created_at
    if timezone.is_naive(made_at):
        made_at = timezone.make_aware(made_at)
    return source if made_at is source.made_at else replace(source, made_at=made_at)
