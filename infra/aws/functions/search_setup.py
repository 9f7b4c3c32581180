"""A CloudFormation custom resource: the order index, made or brought up to date.

Speaks CloudFormation's protocol itself (user guide, "Custom resource request objects"): an
answer is a PUT of JSON to a pre-signed address in S3, which a gateway endpoint reaches from a VPC.
"""

import json
from typing import Any
from urllib.request import Request, urlopen

from consumers.search.setup import ensure_index
from shared.errors import FanoutError
from shared.settings import Settings

_ANSWER_SECONDS = 20
RESOURCE_ID = "fanout-orders"


def handler(event: dict[str, Any], context: Any) -> None:  # noqa: ARG001 - Lambda's signature
    """Create or update the index; the index outlives the stack, so a removal does nothing."""
    reason = ""
    try:
        if event["RequestType"] != "Delete":
            settings = Settings.load(("search_url",))
            shards = int(event["ResourceProperties"]["Shards"])
            ensure_index(settings.search_url, shards=shards, signed=settings.search_sigv4)
    except FanoutError as error:
        reason = f"{error.reason}: {error.hint}"
    except Exception as error:  # noqa: BLE001 - without an answer the stack waits for an hour
        reason = f"{type(error).__name__}: {error}"
    _answer(event, reason)


def _answer(event: dict[str, Any], reason: str) -> None:
    body = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason or "the index is there",
        "PhysicalResourceId": event.get("PhysicalResourceId", RESOURCE_ID),
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    request = Request(  # noqa: S310 - the address comes from CloudFormation
        event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT"
    )
    with urlopen(request, timeout=_ANSWER_SECONDS):  # noqa: S310
        pass
