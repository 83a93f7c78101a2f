"""The bucket's CORS rule, by which pages of other origins may read presigned URLs."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from jobs.errors import StorageUnavailable
from jobs.storage.bucket import bucket
from jobs.storage.s3_errors import map_s3_errors

RULE_ID = "downloads-api"
NO_RULES = "NoSuchCORSConfiguration"
NOT_OURS = {"NotImplemented", "MethodNotAllowed", "AccessDenied"}  # others allow origins there
EXPOSED = ["Content-Disposition", "Content-Length", "Content-Range", "ETag"]


def allow_origins(origins: list[str]) -> str:
    """Write our rule; rules of others stay. Idempotent.

    Return the code of the refusal if the store has no such rules, or lets us write none, else "".
    Raises StorageUnavailable.
    """
    try:
        with map_s3_errors():
            _write(origins)
    except StorageUnavailable as error:
        if not isinstance(refused := error.__cause__, ClientError):
            raise
        if (code := str(refused.response["Error"]["Code"])) in NOT_OURS:
            return code
        raise
    return ""


def _write(origins: list[str]) -> None:
    stored = _stored_rules()
    rules = [rule for rule in stored if rule.get("ID") != RULE_ID] + [_rule(origins)]
    if rules != stored:
        bucket().client.put_bucket_cors(
            Bucket=bucket().bucket_name, CORSConfiguration={"CORSRules": rules}
        )


def _stored_rules() -> list[dict[str, Any]]:
    try:
        answer = bucket().client.get_bucket_cors(Bucket=bucket().bucket_name)
    except ClientError as error:
        if error.response["Error"]["Code"] == NO_RULES:
            return []
        raise
    return list(answer.get("CORSRules", []))


def _rule(origins: list[str]) -> dict[str, Any]:
    return {
        "ID": RULE_ID,
        "AllowedOrigins": list(origins),
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedHeaders": ["*"],  # Range and If-Range, of a resumed download
        "ExposeHeaders": EXPOSED,
        "MaxAgeSeconds": 3600,
    }
