"""Make the tables, queues, bucket, topic and index that a pipeline on this machine needs.

The same shapes as in AWS (DESIGN §4). Making them again changes nothing, so that a pipeline
that was killed starts where it was.
"""

from collections.abc import Callable, Sequence
from typing import Any

from consumers.search.setup import ensure_index
from infra.local.deployment import Deployment
from shared import entities
from shared.clients import aws_client
from shared.spec import ConsumerSpec

TABLE = "fanout"
LEDGER_TABLE = "fanout-ledger"
BUCKET = "fanout-archive"
TOPIC = "fanout-alarms"

# Fourteen days, the most that SQS keeps: time to mend and redrive.
QUEUE_RETENTION_SECONDS = 1_209_600

_EXISTS = frozenset(
    {
        "ResourceInUseException",
        "BucketAlreadyOwnedByYou",
        "BucketAlreadyExists",
        "QueueAlreadyExists",
    }
)


def create_resources(
    specs: Sequence[ConsumerSpec], *, region: str, aws_url: str, cache_url: str, search_url: str
) -> Deployment:
    """Create what is missing and return where everything is.

    The process's environment must already lead boto to `aws_url`.
    """
    stream_arn = _create_table(TABLE, stream=True)
    _create_table(LEDGER_TABLE, stream=False)
    _create_bucket(region)
    sqs = aws_client("sqs")
    queues = {}
    for spec in specs:
        attributes = {"MessageRetentionPeriod": str(QUEUE_RETENTION_SECONDS)}
        answer = sqs.create_queue(QueueName=f"fanout-{spec.name}-dlq", Attributes=attributes)
        queues[spec.name] = answer["QueueUrl"]
    topic = aws_client("sns").create_topic(Name=TOPIC)["TopicArn"]
    ensure_index(search_url)
    return Deployment(
        region=region,
        aws_url=aws_url,
        cache_url=cache_url,
        search_url=search_url,
        table=TABLE,
        ledger_table=LEDGER_TABLE,
        bucket=BUCKET,
        topic_arn=topic,
        stream_arn=stream_arn,
        queue_urls=queues,
    )


def _unless_exists(call: Callable[..., Any], **arguments: Any) -> None:
    from botocore.exceptions import ClientError

    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _EXISTS:
            raise


def _create_table(name: str, *, stream: bool) -> str:
    """Create a table keyed by PK and SK; return its stream's ARN, or "" without one."""
    dynamodb = aws_client("dynamodb")
    keys = [(entities.PARTITION_KEY, "HASH"), (entities.SORT_KEY, "RANGE")]
    if not stream:
        keys = keys[:1]
    schema: dict[str, Any] = {
        "TableName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in keys],
        "BillingMode": "PAY_PER_REQUEST",
    }
    attributes = {key: "S" for key, _ in keys}
    if stream:
        indexes = (entities.CUSTOMER_INDEX, entities.STATUS_INDEX, entities.LEADERBOARD_INDEX)
        for _, hash_key, range_key in indexes:
            attributes |= {hash_key: "S", range_key: "N" if range_key == "total" else "S"}
        schema["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": hash_key, "KeyType": "HASH"},
                    {"AttributeName": range_key, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, hash_key, range_key in indexes
        ]
        schema["StreamSpecification"] = {
            "StreamEnabled": True,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
    schema["AttributeDefinitions"] = [
        {"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()
    ]
    _unless_exists(dynamodb.create_table, **schema)
    dynamodb.get_waiter("table_exists").wait(
        TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    return str(dynamodb.describe_table(TableName=name)["Table"].get("LatestStreamArn", ""))


def _create_bucket(region: str) -> None:
    s3 = aws_client("s3")
    place = {} if region == "us-east-1" else {"LocationConstraint": region}
    options = {"CreateBucketConfiguration": place} if place else {}
    _unless_exists(s3.create_bucket, Bucket=BUCKET, ObjectLockEnabledForBucket=True, **options)
