"""The heartbeat: an item written for no other purpose than to measure freshness."""

from shared import entities
from shared.clients import aws_client
from shared.clock import now_ms
from shared.encoding import encode_image

HEARTBEAT_ID = "main"


def write_heartbeat(table: str, heartbeat_id: str = HEARTBEAT_ID) -> None:
    """Write the time into the heartbeat item, one version on."""
    partition, sort = entities.key_pair(entities.Kind.HEARTBEAT, heartbeat_id)
    aws_client("dynamodb").update_item(
        TableName=table,
        Key=encode_image({entities.PARTITION_KEY: partition, entities.SORT_KEY: sort}),
        UpdateExpression=f"SET {entities.HEARTBEAT_TIME} = :now ADD #v :one",
        ExpressionAttributeNames={"#v": "version"},
        ExpressionAttributeValues={":now": {"N": str(now_ms())}, ":one": {"N": "1"}},
    )
