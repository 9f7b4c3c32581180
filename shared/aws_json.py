"""AWS's JSON protocol without the service models: signed, pooled, raw in and raw out.

botocore parses every attribute value through its service model, turns binaries into bytes and
times into datetimes. Who wants DynamoDB JSON as it is on the wire, as Lambda's events carry it,
would pay for that twice. Credentials, region and signature stay botocore's business.
"""

import json
import os
from typing import Any

import orjson
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import get_session

from shared.clients import CONNECT_SECONDS, READ_SECONDS
from shared.errors import InvalidSettings, Rejected, Retryable, Unavailable

# Target prefix, signing name and own endpoint variable of the services that are spoken to.
_SERVICES = {
    "dynamodb": ("DynamoDB_20120810", "dynamodb", "AWS_ENDPOINT_URL_DYNAMODB"),
    "streams.dynamodb": (
        "DynamoDBStreams_20120810",
        "dynamodb",
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
    ),
}
_RETRYABLE = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)


class ServiceFault(Rejected):
    """AWS understood the call and refused it. `code` is AWS's name for the reason."""

    def __init__(self, operation: str, code: str, answer: dict[str, Any]) -> None:
        """Keep the whole answer: cancellation reasons are part of it."""
        super().__init__(f"{operation}: {code}", hint="see the operation's documented errors")
        self.code = code
        self.answer = answer


class JsonService:
    """One AWS service in one region. Safe to share between threads."""

    def __init__(self, service: str, connections: int = 8) -> None:
        """`service` is `dynamodb` or `streams.dynamodb`, at boto's usual endpoint."""
        session = get_session()
        credentials = session.get_credentials()
        if credentials is None:
            raise InvalidSettings("no AWS credentials", hint="set them as for any AWS tool")
        self._target, signing_name, own_endpoint = _SERVICES[service]
        region = os.environ.get("AWS_REGION") or session.get_config_variable("region")
        # The order of AWS's SDKs: a service's own variable goes before the general one.
        self._url = (
            os.environ.get(own_endpoint)
            or os.environ.get("AWS_ENDPOINT_URL")
            or f"https://{service}.{region}.amazonaws.com"
        )
        self._signer = SigV4Auth(credentials, signing_name, region)
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        )

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Make one call and return its answer as parsed JSON.

        Raises Unavailable if it may succeed later, ServiceFault if AWS refused it.
        """
        url = self._url + "/"
        request = AWSRequest(
            "POST",
            url,
            data=orjson.dumps(arguments),
            headers={
                "X-Amz-Target": f"{self._target}.{operation}",
                "Content-Type": "application/x-amz-json-1.0",
            },
        )
        self._signer.add_auth(request)
        try:
            answer = self._pool.request(
                "POST", url, body=request.body, headers=dict(request.headers.items())
            )
            body = _parsed(answer.data or b"{}")
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise _unavailable(operation, type(error).__name__) from error
        if answer.status == 200:
            return body  # type: ignore[no-any-return]
        code = str(body.get("__type", answer.status)).rpartition("#")[2]
        if answer.status >= 500 or code in _RETRYABLE:
            raise _unavailable(operation, code)
        raise ServiceFault(operation, code, body)


def _parsed(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # Escaped lone surrogates, which an emulator may hold: one such item must not block a page.
        return json.loads(text)


def _unavailable(operation: str, why: str) -> Retryable:
    return Unavailable(f"{operation} was not answered: {why}", hint="check that the service is up")
