"""S3 as the archive sees it: its failures, and reading."""

from collections.abc import Callable, Iterator
from typing import Any

from shared.aws_s3 import Refused
from shared.clients import aws_client
from shared.errors import Retryable, Unavailable

# Gives the bytes of an object, by bucket and name, as `fetch` does.
Fetch = Callable[[str, str], bytes]

_ATTEMPTS = 3
# The most that S3 lists at once.
PAGE_SIZE = 1_000

_HINTS = {
    "AccessDenied": "give the role the rights that its grants name, on this bucket and its key",
    "ExpiredToken": "give the process credentials that are still valid",
    "InvalidAccessKeyId": "give the process valid AWS credentials",
    "InvalidRequest": "check that the bucket has Object Lock, or set no FANOUT_ARCHIVE_LOCK_DAYS",
    "NoSuchBucket": "create the bucket, or name the right one in FANOUT_ARCHIVE_BUCKET",
    "RequestTimeTooSkewed": "set this machine's clock",
    "TemporaryRedirect": "the bucket is new: wait until S3 has made it known, within the hour",
}


class ObjectGone(Exception):
    """The object is not, or no longer, in the bucket."""


class ObjectDamaged(Exception):
    """The bytes that S3 gives are not those it was given."""


def unavailable(what: str, error: Exception) -> Retryable:
    """The error to raise when S3 did not do `what`, such as "archiving a batch".

    Always retryable: nothing that a record contains makes S3 refuse an object for good, so a
    refusal is an outage or a wrong setting, and the records wait until it is mended.
    """
    region = ""
    if isinstance(error, Refused):
        code, region = error.code, error.region
    else:
        # botocore's, which lists and reads.
        response = getattr(error, "response", {})
        code = str(response.get("Error", {}).get("Code") or type(error).__name__)
    hint = _HINTS.get(code, "check that S3 is up and can be reached")
    if region:
        hint = f"the bucket is in {region}: run there (AWS_REGION), or name one of this region"
    failure = Unavailable(f"{what} failed: {code}", hint=hint)
    failure.__cause__ = error
    return failure


def list_keys(bucket: str, prefix: str, after: str = "") -> Iterator[str]:
    """Yield the names of all objects under `prefix` that sort behind `after`, in order.

    Page by page. Raises Unavailable if the bucket cannot be listed.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": PAGE_SIZE}
    if after:
        request["StartAfter"] = after
    try:
        for page in aws_client("s3").get_paginator("list_objects_v2").paginate(**request):
            for entry in page.get("Contents", ()):
                yield entry["Key"]
    except (BotoCoreError, ClientError) as error:
        raise unavailable("listing the archive", error) from error


def fetch(bucket: str, key: str) -> bytes:
    """The bytes of one object: a batch of records, so a few megabytes at most.

    Raises ObjectGone, ObjectDamaged if they differ from S3's own checksum, or Unavailable.
    """
    from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError

    failure: Exception
    for _ in range(_ATTEMPTS):
        try:
            # botocore tries the call again, but not the reading of the answer.
            body = aws_client("s3").get_object(Bucket=bucket, Key=key)["Body"]
            data: bytes = body.read()
        except FlexibleChecksumError as error:
            failure = ObjectDamaged(str(error))
        except BotoCoreError as error:
            failure = unavailable(f"reading {key}", error)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                raise ObjectGone(key) from error
            raise unavailable(f"reading {key}", error) from error
        else:
            return data
    raise failure
