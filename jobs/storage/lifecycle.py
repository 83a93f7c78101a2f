"""The bucket's lifecycle rules, by which S3 moves and deletes old objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError
from django.conf import settings

from jobs.errors import StorageUnavailable
from jobs.storage.bucket import bucket
from jobs.storage.s3_errors import map_s3_errors

COLD_CLASS = "STANDARD_IA"
ABORT_DAYS = 7  # longer than any upload
ACTIONS = ["Transitions", "Expiration", "AbortIncompleteMultipartUpload"]
DAY_SECONDS = 24 * 3600
NO_RULES = "NoSuchLifecycleConfiguration"

Rules = list[dict[str, Any]]


def lifecycle_rules(folders: Iterable[str], *, cold_days: int, expire_days: int) -> Rules:
    """Return a rule for each folder. Raises ValueError if the days contradict each other.

    Objects move to COLD_CLASS after `cold_days`, 0 for never, and expire after `expire_days`.
    """
    kept = settings.RESULT_KEPT_SECONDS / DAY_SECONDS
    if expire_days <= kept:
        raise ValueError(
            f"--expire-days {expire_days} is not longer than RESULT_KEPT_SECONDS ({kept:g}"
            " days): the file store would delete results that can still be downloaded."
        )
    if not 0 <= cold_days < expire_days:
        raise ValueError(
            f"--cold-days {cold_days} is not between 0, for never, and --expire-days {expire_days}."
        )
    return [_rule(f"{folder}/", cold_days, expire_days) for folder in folders]


def _rule(prefix: str, cold_days: int, expire_days: int) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "ID": f"downloads-{prefix.strip('/')}",
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "Expiration": {"Days": expire_days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_DAYS},
    }
    if cold_days:
        rule["Transitions"] = [{"Days": cold_days, "StorageClass": COLD_CLASS}]
    return rule


def stored_lifecycle_rules() -> Rules:
    """Return all rules of the bucket, also those of others. Raises StorageUnavailable."""
    with map_s3_errors():
        try:
            answer = bucket().client.get_bucket_lifecycle_configuration(Bucket=bucket().bucket_name)
        except ClientError as error:
            if error.response["Error"]["Code"] == NO_RULES:
                return []
            raise
    return list(answer.get("Rules", []))


def merge_lifecycle_rules(ours: Rules) -> Rules:
    """Return our rules together with the bucket's rules that are not ours."""
    ids = {rule["ID"] for rule in ours}
    return [rule for rule in stored_lifecycle_rules() if rule.get("ID") not in ids] + ours


def write_lifecycle_rules(rules: Rules) -> None:
    """Replace all rules of the bucket. Raises StorageUnavailable, with the reason if refused."""
    try:
        with map_s3_errors():
            bucket().client.put_bucket_lifecycle_configuration(
                Bucket=bucket().bucket_name, LifecycleConfiguration={"Rules": rules}
            )
    except StorageUnavailable as error:
        if not isinstance(refused := error.__cause__, ClientError):
            raise
        reason = refused.response["Error"]
        message, code = reason["Message"].rstrip("."), reason["Code"]
        sentence = f"The file store refused the rules: {message} ({code})."
        if any("Transitions" in rule for rule in rules):
            sentence += f" Has it no storage class {COLD_CLASS}? Then use --cold-days 0."
        raise StorageUnavailable(sentence) from error


def missing_lifecycle_actions(ours: Rules) -> list[str]:
    """Return the actions of our rules that the store did not keep, such as "raw/ Expiration"."""
    kept = {rule.get("ID"): rule for rule in stored_lifecycle_rules()}
    return [
        f"{rule['Filter']['Prefix']} {action}"
        for rule in ours
        for action in ACTIONS
        if action in rule and kept.get(rule["ID"], {}).get(action) != rule[action]
    ]
