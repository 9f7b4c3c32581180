"""AWS Signature Version 4 for requests without a query: AWS's JSON protocol, and S3's objects.

Why not botocore's signer: it takes 160 µs a call where this takes 10, and importing it is most of
a cold start (docs/adr/0009, 0011). Where credentials come from stays botocore's business, except
for plain ones in the environment, as every Lambda function has them. Tests hold every signature
against botocore's. Source: AWS, "Create a signed AWS API request".
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from time import gmtime, strftime
from typing import NamedTuple

from shared.errors import InvalidSettings, Unavailable

_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """Who signs; `token` is empty for a user's long-lived keys."""

    access_key: str
    secret_key: str
    token: str = ""


def credentials_source() -> Callable[[], Credentials]:
    """What gives the credentials of the moment, as the environment says; for AWS's own order.

    Those that expire are renewed in time by botocore; where that fails, what is returned raises
    Unavailable. Raises InvalidSettings if there are none.
    """
    environment = os.environ
    access_key = environment.get("AWS_ACCESS_KEY_ID", "")
    secret_key = environment.get("AWS_SECRET_ACCESS_KEY", "")
    unusual = {"AWS_CREDENTIAL_EXPIRATION", "AWS_SECURITY_TOKEN"} & environment.keys()
    if access_key and secret_key and not unusual:
        # Lambda ends a function's environment before these do.
        fixed = Credentials(access_key, secret_key, environment.get("AWS_SESSION_TOKEN", ""))
        return lambda: fixed
    # Imported late: 150 ms.
    from botocore.exceptions import BotoCoreError
    from botocore.session import get_session

    found = get_session().get_credentials()
    if found is None:
        raise InvalidSettings("no AWS credentials", hint="set them as for any AWS tool")

    def current() -> Credentials:
        try:
            frozen = found.get_frozen_credentials()
        # The latter for what was renewed and is over all the same.
        except (BotoCoreError, RuntimeError) as error:
            raise Unavailable(
                f"AWS credentials could not be renewed: {type(error).__name__}",
                hint="check that whoever gives this process its credentials can be reached",
            ) from error
        return Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token or "")

    return current


class Signer:
    """Heads of requests to one service in one region, signed by the credentials of the moment."""

    def __init__(self, service: str, region: str, authority: str) -> None:
        """`service` is its signing name, `authority` the server's as the Host header names it.

        Raises InvalidSettings if there are no credentials.
        """
        self._service = service
        self._region = region
        self._authority = authority
        self._credentials = credentials_source()

    def head(
        self, method: str, path: str, headers: Mapping[str, str], digest: str, length: int
    ) -> bytes:
        """The whole head of a request, with its empty line.

        Args:
            method: such as POST.
            path: percent-encoded, without a query.
            headers: those of the call, with names in lower case; all are signed.
            digest: the body's SHA-256 in hexadecimal.
            length: of the body, in bytes.

        Raises Unavailable if the credentials are over and could not be renewed.
        """
        credentials = self._credentials()
        signed = {
            **headers,
            "host": self._authority,
            "x-amz-date": strftime("%Y%m%dT%H%M%SZ", gmtime()),
        }
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        signed = dict(sorted(signed.items()))
        signed["authorization"] = authorization(
            credentials,
            self._region,
            self._service,
            signed,
            digest,
            method=method,
            path=path,
        )
        lines = "".join([f"{name}: {value}\r\n" for name, value in signed.items()])
        return f"{method} {path} HTTP/1.1\r\n{lines}content-length: {length}\r\n\r\n".encode()


def authorization(
    credentials: Credentials,
    region: str,
    service: str,
    headers: Mapping[str, str],
    digest: str,
    *,
    method: str = "POST",
    path: str = "/",
) -> str:
    """The Authorization header of a request without a query.

    Args:
        credentials: whose signature it is.
        region: of the endpoint.
        service: its signing name.
        headers: all that are signed: names in lower case and sorted, values without needless
            spaces; with `host`, `x-amz-date` and, where there is a token, `x-amz-security-token`.
        digest: the body's SHA-256 in hexadecimal.
        method: of the request.
        path: as it is sent; encoded once, as S3 signs it, which for `/` is as all do.
    """
    time = headers["x-amz-date"]
    scope = f"{time[:8]}/{region}/{service}/aws4_request"
    names = ";".join(headers)
    lines = "".join([f"{name}:{value}\n" for name, value in headers.items()])
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{digest}"
    canonical_digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = _signing_key(credentials.secret_key, time[:8], region, service)
    signature = _hmac(key, f"{_ALGORITHM}\n{time}\n{scope}\n{canonical_digest}").hex()
    return (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )


# The same for a whole day; a few, since keys are renewed and one process may sign for two services.
@lru_cache(maxsize=8)
def _signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
