"""Where Fanout relies on AWS's behaviour, the AWS server of one machine has it, or is corrected.

The documents named are AWS's: the DynamoDB, SQS and S3 developer guides and API references.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local.servers import LocalServers
from infra.local.servers.aws.corrections import RequestDigest, Sequence
from tests.support.servers import aws_server, client, iterator, key, make_table, read, scan, unique

DIGITS = "12345678901234567890123456789012345678"  # 38, the most that a number may have


@pytest.fixture(scope="module")
def servers() -> Iterator[LocalServers]:
    with aws_server() as servers:
        yield servers


@pytest.fixture(scope="module")
def dynamodb(servers: LocalServers) -> Any:
    return client(servers.endpoints, "dynamodb")


@pytest.fixture(scope="module")
def streams(servers: LocalServers) -> Any:
    return client(servers.endpoints, "dynamodbstreams")


@pytest.fixture(scope="module")
def sqs(servers: LocalServers) -> Any:
    return client(servers.endpoints, "sqs")


@pytest.fixture(scope="module")
def s3(servers: LocalServers) -> Any:
    return client(servers.endpoints, "s3")


@pytest.fixture
def table(dynamodb: Any) -> str:
    name = unique("table")
    make_table(dynamodb, name)
    return name


def stream_of(dynamodb: Any, table: str) -> str:
    return dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]


def add(table: str, number: str, name: str = "a") -> dict[str, Any]:
    return {
        "TableName": table,
        "Key": key(name),
        "UpdateExpression": "ADD amount :n",
        "ExpressionAttributeValues": {":n": {"N": number}},
    }


def amount(dynamodb: Any, table: str, name: str = "a") -> str:
    return dynamodb.get_item(TableName=table, Key=key(name))["Item"]["amount"]["N"]


def transact(dynamodb: Any, *updates: dict[str, Any]) -> None:
    dynamodb.transact_write_items(TransactItems=[{"Update": update} for update in updates])


@pytest.mark.parametrize("how", ["update", "transact"])
@pytest.mark.parametrize(
    ("terms", "total"),
    [
        ((DIGITS, "1"), "12345678901234567890123456789012345679"),
        (("-" + DIGITS, DIGITS), "0"),
        (("0." + DIGITS, "-0.1"), "0.02345678901234567890123456789012345678"),
        (("0.1", "0.2"), "0.3"),
        (("1.50", "1.50"), "3"),
        (("100", "0.00"), "100"),
        (("1E+30", "1"), "1000000000000000000000000000001"),
        (("9E+125", "0"), "9" + "0" * 125),
        (("1E-130", "1E-130"), "0." + "0" * 129 + "2"),
    ],
)
def test_sums_are_exact_and_canonical(
    dynamodb: Any, table: str, how: str, terms: tuple[str, str], total: str
) -> None:
    for number in terms:
        if how == "update":
            dynamodb.update_item(**add(table, number))
        else:
            transact(dynamodb, add(table, number))
    assert amount(dynamodb, table) == total


@pytest.mark.parametrize("expression", ["ADD amount :n", "SET amount = amount + :n"])
def test_a_sum_that_needs_more_than_38_digits_is_refused(
    dynamodb: Any, table: str, expression: str
) -> None:
    dynamodb.update_item(**add(table, DIGITS))
    too_fine = {**add(table, "0.1"), "UpdateExpression": expression}
    with pytest.raises(ClientError, match="ValidationException"):
        dynamodb.update_item(**too_fine)
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        transact(dynamodb, add(table, "1", "b"), too_fine)
    reasons = [reason["Code"] for reason in caught.value.response["CancellationReasons"]]
    assert reasons == ["None", "ValidationError"]
    assert amount(dynamodb, table) == DIGITS
    assert set(scan(dynamodb, table)) == {"a"}


def test_sums_in_documents_are_exact_too(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(
        TableName=table,
        Item={**key("a"), "totals": {"M": {"easy": {"N": DIGITS}, "odd": {"N": "1E2"}}}},
    )
    transact(
        dynamodb,
        {
            "TableName": table,
            "Key": key("a"),
            "UpdateExpression": "SET totals.easy = totals.easy - :n, listed = :l",
            "ExpressionAttributeValues": {
                ":n": {"N": "1"},
                ":l": {"L": [{"N": "2.0"}, {"NS": ["1E1"]}, {"S": "1.0"}]},
            },
        },
    )
    item = scan(dynamodb, table)["a"]
    assert item["totals"] == {"M": {"easy": {"N": DIGITS[:-1] + "7"}, "odd": {"N": "100"}}}
    assert item["listed"] == {"L": [{"N": "2"}, {"NS": ["10"]}, {"S": "1.0"}]}


def test_a_failed_condition_hands_back_the_item(dynamodb: Any, table: str) -> None:
    dynamodb.update_item(**add(table, "7"))
    condition = {
        "ConditionExpression": "attribute_not_exists(PK)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    old = {**key("a"), "amount": {"N": "7"}}
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as failed:
        dynamodb.put_item(TableName=table, Item=key("a"), **condition)
    assert failed.value.response["Item"] == old
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.transact_write_items(
            TransactItems=[
                {"Update": add(table, "1", "b")},
                {"Put": {"TableName": table, "Item": key("a"), **condition}},
                {"Put": {"TableName": table, "Item": key("c"), **condition}},
            ]
        )
    reasons = caught.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed", "None"]
    assert reasons[1]["Item"] == old
    assert scan(dynamodb, table) == {"a": old}


def test_a_repeated_token_changes_nothing(dynamodb: Any, table: str) -> None:
    request = {
        "TransactItems": [{"Update": {**add(table, "1.0"), "UpdateExpression": "ADD amount :n"}}],
        "ClientRequestToken": unique("token"),
    }
    for _ in range(3):
        dynamodb.transact_write_items(**request)
    assert amount(dynamodb, table) == "1"


def test_a_transaction_takes_a_hundred_items_and_no_item_twice(dynamodb: Any, table: str) -> None:
    transact(dynamodb, *(add(table, "1", f"item {number}") for number in range(100)))
    assert len(scan(dynamodb, table)) == 100
    with pytest.raises(ClientError, match="less than or equal to 100"):
        transact(dynamodb, *(add(table, "1", f"item {number}") for number in range(101)))
    with pytest.raises(ClientError, match="multiple operations on one item"):
        transact(dynamodb, add(table, "1"), add(table, "1"))


def test_the_stream_tells_each_change_once_and_no_other(
    dynamodb: Any, streams: Any, table: str
) -> None:
    one, two = {**key("a"), "v": {"N": "1"}}, {**key("a"), "v": {"N": "2"}}
    dynamodb.put_item(TableName=table, Item=one)
    dynamodb.put_item(TableName=table, Item=one)
    dynamodb.update_item(
        TableName=table,
        Key=key("a"),
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": {"N": "2"}},
    )
    dynamodb.delete_item(TableName=table, Key=key("a"))
    dynamodb.delete_item(TableName=table, Key=key("a"))
    with pytest.raises(ClientError):
        dynamodb.put_item(TableName=table, Item=one, ConditionExpression="attribute_exists(PK)")
    records, _ = read(streams, iterator(streams, stream_of(dynamodb, table)))
    told = [
        (r["eventName"], r["dynamodb"].get("OldImage"), r["dynamodb"].get("NewImage"))
        for r in records
    ]
    assert told == [("INSERT", None, one), ("MODIFY", one, two), ("REMOVE", two, None)]
    assert len({record["eventID"] for record in records}) == 3
    for record in records:
        change = record["dynamodb"]
        assert change["Keys"] == key("a")
        assert change["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        # Whole seconds, as in AWS: a version cannot be made from it.
        created = change["ApproximateCreationDateTime"]
        assert created.microsecond == 0
        assert abs(datetime.now(UTC) - created) < timedelta(minutes=5)
        assert 21 <= len(change["SequenceNumber"]) <= 40
        assert change["SequenceNumber"].isdigit()


def test_a_page_of_the_stream_has_a_thousand_records_or_a_megabyte(
    dynamodb: Any, streams: Any, table: str
) -> None:
    for start in range(0, 1100, 25):
        puts = [{"PutRequest": {"Item": key(str(start + n))}} for n in range(25)]
        dynamodb.batch_write_item(RequestItems={table: puts})
    position = iterator(streams, stream_of(dynamodb, table))
    page = streams.get_records(ShardIterator=position)
    assert len(page["Records"]) == 1000
    for number in range(4):
        item = {**key(f"big {number}"), "filler": {"S": "x" * 300_000}}
        dynamodb.put_item(TableName=table, Item=item)
    page = streams.get_records(ShardIterator=page["NextShardIterator"])
    page = streams.get_records(ShardIterator=page["NextShardIterator"], Limit=3)
    assert len(page["Records"]) == 1
    # One record may be more than that, as JSON escapes it, and still comes.
    dynamodb.put_item(TableName=table, Item={**key("odd"), "filler": {"S": "\x01" * 390_000}})
    page = streams.get_records(ShardIterator=page["NextShardIterator"])
    assert [r["dynamodb"]["Keys"] for r in page["Records"]] == [key("odd")]


def test_a_sequence_number_that_is_not_there_is_said_to_be_trimmed(
    dynamodb: Any, streams: Any, table: str
) -> None:
    dynamodb.put_item(TableName=table, Item=key("a"))
    arn = stream_of(dynamodb, table)
    with pytest.raises(streams.exceptions.TrimmedDataAccessException):
        iterator(streams, arn, after="1" * 30)
    (record,), _ = read(streams, iterator(streams, arn))
    after = record["dynamodb"]["SequenceNumber"]
    assert read(streams, iterator(streams, arn, after=after))[0] == []


def test_sequence_numbers_grow_even_when_the_clock_goes_back() -> None:
    times = iter([5.0, 5.0, 4.0, 3.0, 6.0])
    sequence = Sequence(clock=lambda: next(times))
    made = [sequence.next() for _ in range(3)]
    resumed = Sequence(clock=lambda: next(times))
    resumed.resume_after(made[-1])
    made += [resumed.next() for _ in range(2)]
    assert [int(number) for number in made] == sorted({int(number) for number in made})
    assert {len(number) for number in made} == {30}


def test_a_digest_equals_the_requests_that_say_the_same() -> None:
    one = {"TransactItems": [{"Put": {"a": 1, "b": 2}}]}
    digest = RequestDigest.of(one)
    assert digest == {"TransactItems": [{"Put": {"b": 2, "a": 1}}]}
    assert digest != {"TransactItems": [{"Put": {"b": 2, "a": 2}}]}
    assert RequestDigest.of(digest) is digest
    assert RequestDigest(digest.hex) == one


def test_a_scan_pages_at_a_megabyte_and_its_segments_are_disjoint(
    dynamodb: Any, table: str
) -> None:
    for number in range(12):
        item = {**key(f"item {number}"), "filler": {"S": "x" * 200_000}}
        dynamodb.put_item(TableName=table, Item=item)
    page = dynamodb.scan(TableName=table)
    assert len(page["Items"]) == 5
    assert "LastEvaluatedKey" in page
    names = {f"item {number}" for number in range(12)}
    assert set(scan(dynamodb, table)) == names
    seen: list[str] = []
    for segment in range(4):
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=table, Segment=segment, TotalSegments=4
        )
        seen += [item["PK"]["S"] for page in pages for item in page["Items"]]
    assert sorted(seen) == sorted(names)


@pytest.mark.parametrize("limit", [None, 1, 7, 1000])
def test_a_scan_gives_the_emulators_own_pages(dynamodb: Any, table: str, limit: int | None) -> None:
    # A parameter more, of the default's meaning, goes the emulator's own, slower way.
    chance = random.Random(limit)
    names = [f"{number}-é-{chance.random()}" for number in range(40)]
    request: dict[str, Any] = {"TableName": table} | ({"Limit": limit} if limit else {})
    for name in names:
        item = {**key(name), "SK": {"S": name[-1]}, "f": {"S": "x" * chance.randrange(90_000)}}
        dynamodb.put_item(TableName=table, Item=item)
    seen = set()
    while True:
        fast, own = dynamodb.scan(**request), dynamodb.scan(**request, Select="ALL_ATTRIBUTES")
        for page in (fast, own):
            del page["ResponseMetadata"]
        assert fast == own
        seen |= {item["PK"]["S"] for item in fast["Items"]}
        if "LastEvaluatedKey" not in fast:
            break
        request["ExclusiveStartKey"] = fast["LastEvaluatedKey"]
        # What comes and goes behind and before the page.
        name = chance.choice(names)
        dynamodb.put_item(TableName=table, Item={**key(name), "SK": {"S": "new"}})
        gone = {"PK": {"S": name}, "SK": {"S": name[-1]}}
        dynamodb.delete_item(TableName=table, Key=gone)
        if chance.random() < 0.5:
            dynamodb.put_item(TableName=table, Item=gone)
    assert seen <= set(names)
    assert len(seen) > 10
    dynamodb.delete_table(TableName=table)
    make_table(dynamodb, table)
    assert dynamodb.scan(TableName=table)["Items"] == []


def test_sqs_refuses_what_is_too_big(sqs: Any) -> None:
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    most = 1_048_576
    sqs.send_message(QueueUrl=url, MessageBody="x" * most)
    with pytest.raises(ClientError, match="shorter than 1048576 bytes"):
        sqs.send_message(QueueUrl=url, MessageBody="x" * (most + 1))
    with pytest.raises(ClientError, match="shorter than"):
        sqs.send_message(QueueUrl=url, MessageBody="é" * (most // 2 + 1))
    halves = [{"Id": str(number), "MessageBody": "x" * (most // 2 + 1)} for number in range(2)]
    with pytest.raises(ClientError, match="BatchRequestTooLong"):
        sqs.send_message_batch(QueueUrl=url, Entries=halves)
    eleven = [{"Id": str(number), "MessageBody": "x"} for number in range(11)]
    with pytest.raises(ClientError, match="TooManyEntriesInBatchRequest"):
        sqs.send_message_batch(QueueUrl=url, Entries=eleven)
    with pytest.raises(ClientError, match="InvalidMessageContents"):
        sqs.send_message(QueueUrl=url, MessageBody="a\x00b")


def test_an_object_is_written_once_under_if_none_match(s3: Any) -> None:
    bucket = unique("bucket")
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    first = s3.put_object(Bucket=bucket, Key="a", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="a", Body=b"2", IfNoneMatch="*")
    assert caught.value.response["Error"]["Code"] == "PreconditionFailed"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"
    s3.delete_object(Bucket=bucket, Key="a")
    again = s3.put_object(Bucket=bucket, Key="a", Body=b"3", IfNoneMatch="*")
    assert again["VersionId"] != first["VersionId"]
    old = s3.get_object(Bucket=bucket, Key="a", VersionId=first["VersionId"])
    assert old["Body"].read() == b"1"


def test_a_locked_version_cannot_be_deleted(s3: Any) -> None:
    bucket = unique("bucket")
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    lock = {
        "ObjectLockMode": "GOVERNANCE",
        "ObjectLockRetainUntilDate": datetime.now(UTC) + timedelta(days=1),
    }
    version = s3.put_object(Bucket=bucket, Key="a", Body=b"1", **lock)["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key="a", VersionId=version)
    s3.delete_object(Bucket=bucket, Key="a", VersionId=version, BypassGovernanceRetention=True)
