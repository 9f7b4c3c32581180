"""The order index: `helpers.bulk` of opensearch-py with external versions.

Choices: chunks of 2,000 documents in place of 500, so that a usual batch is one request; no
compression, which costs more than it saves in one network; conflicts are not raised, as they mean
"already newer".
"""

from typing import Any

from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord
from opensearchpy import OpenSearch, helpers

from bench.baseline.batches import Image, Response, from_kinesis, images, setting, version

ALIAS = "orders-write"
_CHUNK = 2_000
_CONFLICT = 409

client = OpenSearch(setting("FANOUT_SEARCH_URL"), timeout=30)
batches = from_kinesis("search")


def handler(event: dict[str, Any], _: Any) -> Response:
    """Index a batch."""
    actions = batches.read(event, action)
    index(actions)
    return batches.respond(event, len(actions))


def index(actions: list[dict[str, Any]]) -> None:
    """Write documents and tombstones."""
    _, errors = helpers.bulk(
        client, actions, chunk_size=_CHUNK, raise_on_error=False, require_alias="true"
    )
    refused = [each for each in errors if each["index"]["status"] != _CONFLICT]
    if refused:
        raise RuntimeError(f"OpenSearch refused {len(refused)} documents")


def action(record: KinesisStreamRecord) -> dict[str, Any] | None:
    """The bulk action of one record."""
    change = record.kinesis.data_as_json()["dynamodb"]
    kind, _, order_id = change["Keys"]["PK"]["S"].partition("#")
    if kind != "ORDER":
        return None
    old, new = images(change)
    if new is not None:
        number, source = version(new), document(order_id, new)
    else:
        assert old is not None
        number = version(old) + 1
        source = {"orderId": order_id, "deleted": True, "deletedAt": _milliseconds(change)}
    return {
        "_op_type": "index",
        "_index": ALIAS,
        "_id": order_id,
        "version": number,
        "version_type": "external",
        "_source": source,
    }


def document(order_id: str, order: Image) -> dict[str, Any]:
    """What support looks for of an order."""
    address, customer = order["shippingAddress"], order["customer"]
    return {
        "orderId": order_id,
        "customerId": order["customerId"],
        "name": customer["name"],
        "email": customer["email"],
        "status": order["status"],
        "product": [line["name"] for line in order["items"]],
        "productId": [line["productId"] for line in order["items"]],
        "city": address["city"],
        "postcode": address["zipCode"],
        "totalAmount": float(order["totalAmount"]),
        "createdAt": order["createdAt"],
        "updatedAt": order["metadata"]["updatedAt"],
    }


def _milliseconds(change: dict[str, Any]) -> int:
    created = int(change["ApproximateCreationDateTime"])
    exact = change.get("ApproximateCreationDateTimePrecision") == "MICROSECOND"
    return created // 1000 if exact else created
