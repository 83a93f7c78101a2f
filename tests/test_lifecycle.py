"""`manage.py lifecycle`, with the real S3 server and with stores that refuse or fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.core.management import CommandError, call_command

from jobs import storage

THEIRS = {
    "ID": "ours-is-not-yours",
    "Status": "Enabled",
    "Filter": {"Prefix": "logs/"},
    "Expiration": {"Days": 3},
}


def lifecycle(*options: str) -> list[dict[str, Any]]:
    out = StringIO()
    call_command("lifecycle", *options, stdout=out)
    return list(json.loads(out.getvalue())["Rules"])


def ours(**changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "ID": f"downloads-{folder}",
            "Status": "Enabled",
            "Filter": {"Prefix": f"{folder}/"},
            "Expiration": {"Days": 365},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
        | changes
        for folder in ("raw", "processed", "results")
    ]


@pytest.fixture
def rules(bucket: Any) -> Iterator[Any]:
    """The rules of the real bucket, of which there are none before and after."""
    yield storage.stored_lifecycle_rules
    bucket.client.delete_bucket_lifecycle(Bucket=bucket.bucket_name)


def test_a_new_bucket_has_no_rules(rules: Any) -> None:
    assert lifecycle("--show") == []


def test_a_dry_run_prints_the_rules_without_writing(rules: Any) -> None:
    told = lifecycle("--dry-run")

    assert told == ours(Transitions=[{"Days": 30, "StorageClass": "STANDARD_IA"}])
    assert rules() == []


def test_a_store_without_storage_classes_is_reported_with_a_solution(rules: Any) -> None:
    with pytest.raises(CommandError) as told:
        lifecycle()

    assert "refused the rules" in str(told.value)
    assert "(NotImplemented)" in str(told.value)
    assert "use --cold-days 0" in str(told.value)
    assert rules() == []


NEVER_COLD = ("--cold-days", "0")


def test_rules_without_storage_classes_can_be_written_repeatedly(rules: Any) -> None:
    first, again = lifecycle(*NEVER_COLD), lifecycle(*NEVER_COLD)

    assert by_id(first) == by_id(again) == by_id(ours())
    assert by_id(lifecycle("--show")) == by_id(ours())


def test_changed_days_replace_the_earlier_ones(rules: Any) -> None:
    lifecycle(*NEVER_COLD)

    lifecycle(*NEVER_COLD, "--expire-days", "90")

    assert by_id(rules()) == by_id(ours(Expiration={"Days": 90}))


def test_other_rules_are_kept(bucket: Any, rules: Any) -> None:
    storage.write_lifecycle_rules([THEIRS])

    lifecycle(*NEVER_COLD)

    assert by_id(rules()) == by_id([THEIRS, *ours()])


@pytest.mark.parametrize(
    ("options", "kept_seconds", "told"),
    [
        (["--expire-days=30"], 30 * 86_400, r"30 is not longer than RESULT_KEPT_SECONDS \(30 days"),
        ([], 366 * 86_400, r"365 is not longer than .* \(366 days"),
        ([], 365 * 86_400 + 1, "is not longer"),
        (["--cold-days=365"], 60, "--cold-days 365 is not between"),
        (["--cold-days=-1"], 60, "is not between"),
    ],
)
def test_days_that_contradict_each_other_are_refused(
    rules: Any, settings: Any, options: list[str], kept_seconds: int, told: str
) -> None:
    settings.RESULT_KEPT_SECONDS = kept_seconds

    for more in ([], ["--dry-run"]):
        with pytest.raises(CommandError, match=told):
            lifecycle(*options, *more)

    assert rules() == []


def test_results_that_expire_a_second_earlier_are_no_contradiction(
    settings: Any, rules: Any
) -> None:
    settings.RESULT_KEPT_SECONDS = 365 * 86_400 - 1

    assert len(lifecycle("--dry-run")) == 3


def test_rules_that_the_store_ignores_are_reported(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = ours()
    del half[0]["AbortIncompleteMultipartUpload"]
    half[1]["Expiration"] = {"Days": 1}
    answer(monkeypatch, bucket, get={"Rules": half}, put={})

    with pytest.raises(CommandError) as told:
        lifecycle(*NEVER_COLD)

    assert str(told.value).endswith(
        "rules except: raw/ AbortIncompleteMultipartUpload, processed/ Expiration."
    )


def test_a_store_that_refuses_rules_is_one_message(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = {"Error": {"Code": "AccessDenied", "Message": "Access Denied."}}
    answer(monkeypatch, bucket, get=ClientError(denied, "Get"))

    with pytest.raises(CommandError, match=r"^The file store refused a request\.$"):
        lifecycle("--show")


def test_an_unavailable_store_is_one_message(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, bucket, get=EndpointConnectionError(endpoint_url="http://secret"))

    with pytest.raises(CommandError, match=r"^The file store could not be reached\.$"):
        lifecycle()


def by_id(rules: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {rule["ID"]: rule for rule in rules}


def answer(monkeypatch: pytest.MonkeyPatch, bucket: Any, **answers: Any) -> None:
    """Return responses in place of the store's."""
    for verb, said in answers.items():

        def call(said: Any = said, **_: Any) -> Any:
            if isinstance(said, Exception):
                raise said
            return said

        name = f"{verb}_bucket_lifecycle_configuration"
        monkeypatch.setattr(bucket.client, name, call, raising=False)
