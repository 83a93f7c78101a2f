"""A kind of an app reads stored files as docs/recipes.md says."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework import serializers

from jobs.kinds import BuildError, Kind, Source
from jobs.models import StoredFile
from jobs.testing import run
from tests.factories import StoredFileFactory


class NoFile(BuildError):
    code = "no_file"
    meaning = "A file does not exist, or you may not read it."


class Joined(Kind):
    """The given files, one after the other."""

    name, label = "joined", "Joined files"

    class Params(serializers.Serializer[Any]):
        files = serializers.ListField(child=serializers.IntegerField(), label="File numbers")

    def load(self, job: Any) -> list[Source]:
        files = StoredFile.objects.visible_to(job.owner_id).in_bulk(
            job.params["files"], field_name="file_id"
        )
        if missing := set(job.params["files"]) - files.keys():
            raise NoFile(f"File {min(missing)} could not be found.")
        chosen = [files[number] for number in job.params["files"]]
        return [Source(bucket=each.bucket, key=each.key, name=each.name) for each in chosen]

    def build(self, loaded: list[Source], work: Any) -> None:
        for source in loaded:
            for chunk in work.chunks(source):
                work.output.write(chunk)


def test_it_reads_public_files_and_those_of_its_owner(alice: User, bob: User) -> None:
    public = StoredFileFactory(file_id=70_001, owner=None, size_bytes=2)
    own = StoredFileFactory(file_id=70_002, owner=alice, size_bytes=3)
    sources = {public.key: b"ab", own.key: b"cde"}

    assert run(Joined, owner=alice, files=[70_001, 70_002], sources=sources).content == b"abcde"
    with pytest.raises(NoFile, match="File 70002 could not be found"):
        run(Joined, owner=bob, files=[70_001, 70_002], sources=sources)
