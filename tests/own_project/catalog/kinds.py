"""The team's kind of job."""

from collections.abc import Iterator
from typing import Any

from rest_framework import serializers

from jobs.kinds import Kind, Workspace
from jobs.models import DownloadJob


class PriceParams(serializers.Serializer[Any]):
    """The request."""

    currency = serializers.ChoiceField(["EUR", "USD"], default="EUR")


class PriceList(Kind):
    """Writes the prices as CSV."""

    name = "price-list"
    label = "Price list"
    content_type = "text/csv"
    suffix = ".csv"
    Params = PriceParams

    def load(self, job: DownloadJob) -> Iterator[str]:
        return (f"{number},{number * 10} {job.params['currency']}\n" for number in (1, 2, 3))

    def build(self, loaded: Iterator[str], work: Workspace) -> None:
        for line in loaded:
            work.output.write(line.encode())
