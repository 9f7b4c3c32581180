"""One bucket of S3: objects put and looked at, by the few calls that the archive makes of it.

botocore takes 1.5 to 4 ms of CPU for a PutObject, and importing it is most of a cold start; this
takes a tenth of a millisecond (docs/adr/0011). Sources: "Amazon S3 API Reference", PutObject,
HeadObject, HeadBucket, "Error responses"; which answers may pass when asked again: botocore's
`standard` retries.
"""

import re
import time
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote

from shared.aws_endpoints import Endpoint, find_endpoint
from shared.aws_http import Answer, Connections
from shared.aws_signing import Signer
from shared.clients import CONNECT_SECONDS, READ_SECONDS
from shared.errors import InvalidSettings

_ATTEMPTS = 2
# Attempts are a random time apart, up to this.
_PAUSE_SECONDS = 1.0
# The longest that one call may take with all its attempts, TLS's handshakes and the pause.
CALL_SECONDS = _ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + 2.0

_PASSING = frozenset(
    {
        "BandwidthLimitExceeded",
        # Another request for the same name was under way: "retry the upload".
        "ConditionalRequestConflict",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_PASSING_STATUS = frozenset({500, 502, 503, 504})

_NO_BODY = sha256().hexdigest()
# As botocore: also names of old, which S3 gives no more.
_is_name = re.compile(r"[A-Za-z0-9._-]{1,255}").fullmatch
# A name that can be part of a host's; with a dot in it no certificate of S3's would fit.
_is_label = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]").fullmatch
# S3's own addresses. Whatever else an endpoint variable leads to finds the bucket in the path.
_is_aws = re.compile(r"s3(-fips)?(\.dualstack)?(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?").fullmatch
_code = re.compile(rb"<Code>\s*([\w.-]{1,100})\s*</Code>", re.ASCII).search


class Refused(Exception):
    """S3 answered, and did not do what it was asked.

    Attributes:
        code: S3's name for the reason; its HTTP status where it gives no name, as to a HEAD.
        region: where the bucket is, if S3 says that it is not where it was looked for.
    """

    def __init__(self, code: str, region: str = "") -> None:
        """Keep both."""
        super().__init__(code)
        self.code = code
        self.region = region


class Bucket:
    """A bucket, over one kept-alive connection.

    Each call is tried twice if the first answer may pass, or if there was none; it has ended
    after CALL_SECONDS. Every call raises Refused if S3 does not do it, OSError if no answer came
    (whether the call took effect is then unknown), and Unavailable if the credentials are over
    and could not be renewed.
    """

    def __init__(self, name: str) -> None:
        """Nothing is connected yet.

        Raises InvalidSettings if that is no bucket's name, if there is no endpoint, or if there
        are no credentials.
        """
        if not _is_name(name):
            raise InvalidSettings(
                "what should be a bucket of S3 is no bucket's name", hint="name it without s3://"
            )
        endpoint, self._region = find_endpoint("s3")
        endpoint, self._path = _address(endpoint, name)
        self._signer = Signer("s3", self._region, endpoint.authority)
        self._connections = Connections(endpoint, 1)

    def put_object(
        self, key: str, body: bytes, digest: bytes, headers: Mapping[str, str], *, new: bool
    ) -> None:
        """Put an object of a few megabytes at the most.

        Args:
            key: its name.
            body: its bytes.
            digest: their SHA-256: S3 refuses a body that was damaged on its way, and keeps it.
            headers: further ones, such as its type and retention; names in lower case.
            new: refuse if there is an object of that name: `PreconditionFailed`.
        """
        sent = {
            **headers,
            "x-amz-checksum-sha256": b64encode(digest).decode(),
            # Where there is a retention, S3 wants to be told of the checksum by name.
            "x-amz-sdk-checksum-algorithm": "SHA256",
        }
        if new:
            sent["if-none-match"] = "*"
        self._ask("PUT", self._path_of(key), sent, body, digest.hex())

    def head_object(self, key: str) -> bytes | None:
        """The SHA-256 that S3 keeps of an object; None if it keeps none."""
        answer = self._ask("HEAD", self._path_of(key), {"x-amz-checksum-mode": "ENABLED"})
        return answer.headers.get(b"x-amz-checksum-sha256")

    def head_bucket(self) -> None:
        """Ask whether the bucket is there and ours."""
        self._ask("HEAD", self._path or "/", {})

    def _path_of(self, key: str) -> str:
        return f"{self._path}/{quote(key)}"

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        digest: str = _NO_BODY,
    ) -> Answer:
        headers = {**headers, "x-amz-content-sha256": digest}
        for _ in range(_ATTEMPTS - 1):
            try:
                answer = self._once(method, path, headers, body, digest)
            except OSError:
                _pause()
                continue
            if not _may_pass(answer):
                break
            _pause()
        else:
            answer = self._once(method, path, headers, body, digest)
        if answer.status >= 300:
            raise Refused(_code_of(answer), self._other_region(answer))
        return answer

    def _once(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, digest: str
    ) -> Answer:
        # Signed anew each time: a signature is of its moment.
        head = self._signer.head(method, path, headers, digest, len(body))
        return self._connections.send(head, body, READ_SECONDS).answer()

    def _other_region(self, answer: Answer) -> str:
        found = answer.headers.get(b"x-amz-bucket-region", b"").decode("ascii", "replace")
        return "" if found == self._region else found


def _address(endpoint: Endpoint, bucket: str) -> tuple[Endpoint, str]:
    """Where the bucket's requests go: its server, and what their paths begin with."""
    if _is_aws(endpoint.host) and _is_label(bucket):
        return endpoint._replace(host=f"{bucket}.{endpoint.host}"), ""
    return endpoint, f"/{bucket}"


def _may_pass(answer: Answer) -> bool:
    return answer.status >= 300 and (
        answer.status in _PASSING_STATUS or _code_of(answer) in _PASSING
    )


def _code_of(answer: Answer) -> str:
    found = _code(answer.body)
    return found[1].decode() if found else str(answer.status)


def _pause() -> None:
    # Imported late: needed when something is wrong, and then there is time.
    from random import random

    time.sleep(_PAUSE_SECONDS * random())
