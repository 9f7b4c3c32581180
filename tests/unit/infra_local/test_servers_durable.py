"""What the AWS server acknowledged is there after SIGKILL, in the same order and numbers."""

from __future__ import annotations

import fcntl
import json
import resource
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from infra.local.servers import LocalServers
from infra.local.servers import server as server_module
from tests.support.servers import (
    aws_server,
    bump,
    client,
    eventually,
    iterator,
    key,
    kill_aws,
    make_table,
    numbers,
    read,
    scan,
    unique,
)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    with (
        pytest.MonkeyPatch.context() as patch,
        aws_server(tmp_path_factory.mktemp("durable")) as servers,
    ):
        # So many kills in a row would make the supervisor wait longer and longer.
        patch.setattr(server_module, "LAST_BACKOFF_SECONDS", 0.1)
        yield servers


@pytest.fixture(scope="module")
def dynamodb(servers: LocalServers) -> Any:
    return client(servers.endpoints, "dynamodb")


@pytest.fixture(scope="module")
def streams(servers: LocalServers) -> Any:
    return client(servers.endpoints, "dynamodbstreams")


def test_a_checkpoint_from_before_a_kill_reads_on_where_it_stopped(
    servers: LocalServers, dynamodb: Any, streams: Any
) -> None:
    table = unique("checkpoint")
    arn = make_table(dynamodb, table)
    for _ in range(3):
        dynamodb.update_item(**bump("a", table))
    before, position = read(streams, iterator(streams, arn))
    kill_aws(servers)
    assert dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"] == arn
    for _ in range(2):
        dynamodb.update_item(**bump("a", table))
    middle, last = (before[number]["dynamodb"]["SequenceNumber"] for number in (1, -1))
    everything, _ = read(streams, iterator(streams, arn))
    assert numbers(everything[:3]) == numbers(before)
    assert everything[:3] == before
    assert int(everything[3]["dynamodb"]["SequenceNumber"]) > int(last)
    assert read(streams, iterator(streams, arn, after=middle))[0] == everything[2:]
    assert read(streams, iterator(streams, arn, after=last))[0] == everything[3:]
    assert read(streams, position)[0] == everything[3:]


def test_every_kind_of_write_survives(servers: LocalServers, dynamodb: Any, streams: Any) -> None:
    table, plain = unique("kinds"), unique("plain")
    arn = make_table(dynamodb, table)
    assert make_table(dynamodb, plain, stream=False) == ""
    binary = {"B": b"\x00\xff"}
    number = {"N": "12345678901234567890123456789012345678"}
    odd = {"blob": binary, "exact": number, "text": {"S": "é\u2028\x00"}, "set": {"SS": ["a"]}}
    for name in ("put", "gone", "batch-gone", "transact-gone"):
        dynamodb.put_item(TableName=table, Item={**key(name), **odd})
    dynamodb.put_item(TableName=table, Item={**key("put"), **odd})  # no change, no record
    dynamodb.put_item(TableName=plain, Item={**key("plain"), **odd})
    dynamodb.delete_item(TableName=table, Key=key("gone"))
    dynamodb.batch_write_item(
        RequestItems={
            table: [
                {"PutRequest": {"Item": key("batch")}},
                {"DeleteRequest": {"Key": key("batch-gone")}},
            ],
            plain: [{"PutRequest": {"Item": key("batch")}}],
        }
    )
    dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": key("transact")}},
            {"Delete": {"TableName": table, "Key": key("transact-gone")}},
            {"Update": bump("transact-update", table)},
            {"Update": bump("transact-update", plain)},
        ]
    )
    dynamodb.execute_statement(
        Statement=f"INSERT INTO \"{table}\" VALUE {{'PK': 'partiql', 'SK': 'ITEM'}}"
    )
    items, plain_items = scan(dynamodb, table), scan(dynamodb, plain)
    records, _ = read(streams, iterator(streams, arn))
    assert set(items) == {"put", "batch", "transact", "transact-update", "partiql"}
    assert set(plain_items) == {"plain", "batch", "transact-update"}
    kill_aws(servers)
    assert scan(dynamodb, table) == items
    assert scan(dynamodb, plain) == plain_items
    assert read(streams, iterator(streams, arn))[0] == records
    assert dynamodb.describe_table(TableName=table)["Table"]["ItemCount"] == len(items)


def test_definitions_survive(servers: LocalServers, dynamodb: Any, streams: Any) -> None:
    table, gone = unique("definitions"), unique("gone")
    make_table(dynamodb, table)
    gone_arn = make_table(dynamodb, gone)
    dynamodb.update_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "owner", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "by-owner",
                    "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )
    dynamodb.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    described = dynamodb.describe_table(TableName=table)["Table"]
    dynamodb.tag_resource(
        ResourceArn=described["TableArn"], Tags=[{"Key": "stage", "Value": "local"}]
    )
    dynamodb.put_item(TableName=table, Item={**key("a"), "owner": {"S": "me"}})
    dynamodb.put_item(TableName=gone, Item=key("a"))
    dynamodb.delete_table(TableName=gone)
    kill_aws(servers)
    again = dynamodb.describe_table(TableName=table)["Table"]
    assert again["GlobalSecondaryIndexes"] == described["GlobalSecondaryIndexes"]
    assert again["TableId"] == described["TableId"]
    found = dynamodb.query(
        TableName=table,
        IndexName="by-owner",
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "me"}},
    )
    assert found["Count"] == 1
    ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    tags = dynamodb.list_tags_of_resource(ResourceArn=described["TableArn"])["Tags"]
    assert tags == [{"Key": "stage", "Value": "local"}]
    assert gone not in dynamodb.list_tables()["TableNames"]
    # The stream of a deleted table stays readable for a day, and a table made anew starts empty.
    closed = streams.get_records(ShardIterator=iterator(streams, gone_arn))
    assert [record["eventName"] for record in closed["Records"]] == ["INSERT"]
    assert "NextShardIterator" not in closed
    new_arn = make_table(dynamodb, gone)
    assert new_arn != gone_arn
    assert not scan(dynamodb, gone)
    kill_aws(servers)
    assert not scan(dynamodb, gone)
    assert read(streams, iterator(streams, new_arn))[0] == []


def test_a_transaction_is_known_by_its_token_after_a_kill(
    servers: LocalServers, dynamodb: Any
) -> None:
    table, token = unique("token"), unique("token")
    make_table(dynamodb, table)
    request = {"TransactItems": [{"Update": bump("a", table)}], "ClientRequestToken": token}
    dynamodb.transact_write_items(**request)
    dynamodb.transact_write_items(**request)
    kill_aws(servers)
    dynamodb.transact_write_items(**request)
    assert scan(dynamodb, table)["a"]["version"] == {"N": "1"}
    other = {**request, "TransactItems": [{"Update": bump("b", table)}]}
    with pytest.raises(dynamodb.exceptions.IdempotentParameterMismatchException):
        dynamodb.transact_write_items(**other)


def test_a_transaction_is_one_line_of_the_journal(servers: LocalServers, dynamodb: Any) -> None:
    table = unique("line")
    make_table(dynamodb, table)
    journal = servers.folder / "aws" / "journal.ndjson"
    before = journal.stat().st_size
    dynamodb.transact_write_items(
        TransactItems=[{"Update": bump(name, table)} for name in ("a", "b", "c")]
    )
    (line,) = journal.read_bytes()[before:].splitlines()
    _, operations = json.loads(line)
    assert [operation[0] for operation in operations] == ["set", "set", "set", "token"]


def test_a_table_that_cloudformation_makes_in_passing_survives(
    servers: LocalServers, dynamodb: Any
) -> None:
    table = unique("stack")
    template = {
        "Resources": {
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "TableName": table,
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [{"AttributeName": "PK", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}],
                },
            }
        }
    }
    client(servers.endpoints, "cloudformation").create_stack(
        StackName=table, TemplateBody=json.dumps(template)
    )

    def written() -> bool:
        try:
            dynamodb.put_item(TableName=table, Item={"PK": {"S": "a"}})
        except dynamodb.exceptions.ResourceNotFoundException:
            return False
        return True

    eventually(written, "the table is made")
    kill_aws(servers)
    assert scan(dynamodb, table) == {"a": {"PK": {"S": "a"}}}


def test_a_full_disk_stops_the_server_instead_of_losing_a_write(
    servers: LocalServers, dynamodb: Any
) -> None:
    table = unique("full")
    make_table(dynamodb, table)
    dynamodb.update_item(**bump("a", table))
    server = servers["aws"]
    was = server.status()
    journal = servers.folder / "aws" / "journal.ndjson"
    # Room for the beginning of one line only: the write comes back short, then fails.
    room = journal.stat().st_size + 100
    resource.prlimit(was.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    with pytest.raises(BotoCoreError):
        dynamodb.update_item(**bump("a", table))
    eventually(lambda: server.status().pid not in {0, was.pid}, "the server is restarted")
    assert server.status().trouble == "ended with code 74"
    assert "journal.ndjson cannot be written: File too large" in server.log.read_text()
    assert scan(dynamodb, table)["a"]["version"] == {"N": "1"}
    dynamodb.update_item(**bump("a", table))
    assert scan(dynamodb, table)["a"]["version"] == {"N": "2"}


def test_another_run_finds_it_all_on_another_port(tmp_path: Path) -> None:
    table = unique("runs")
    with aws_server(tmp_path) as servers:
        port = servers["aws"].port
        dynamodb = client(servers.endpoints, "dynamodb")
        arn = make_table(dynamodb, table)
        dynamodb.update_item(**bump("a", table))
        streams = client(servers.endpoints, "dynamodbstreams")
        before, _ = read(streams, iterator(streams, arn))
        items = scan(dynamodb, table)
        sqs = client(servers.endpoints, "sqs")
        sqs.send_message(QueueUrl=sqs.create_queue(QueueName="q")["QueueUrl"], MessageBody="m")
    with socket.create_server(("127.0.0.1", port)), aws_server(tmp_path) as servers:
        assert scan(client(servers.endpoints, "dynamodb"), table) == items
        streams = client(servers.endpoints, "dynamodbstreams")
        assert read(streams, iterator(streams, arn))[0] == before
        sqs = client(servers.endpoints, "sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        assert str(servers["aws"].port) in url
        assert [m["Body"] for m in sqs.receive_message(QueueUrl=url)["Messages"]] == ["m"]
        assert len(sqs.list_queues()["QueueUrls"]) == 1


def test_a_server_waits_for_the_one_before_it_to_let_go(tmp_path: Path) -> None:
    with aws_server(tmp_path) as servers:
        server = servers["aws"]
        server.stop()
        restarted = threading.Thread(target=server.start, daemon=True)
        with (tmp_path / "aws" / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            restarted.start()
            restarted.join(1)
            assert restarted.is_alive()
        restarted.join(60)
        assert server.status().pid


def test_a_table_made_again_does_not_inherit(tmp_path: Path) -> None:
    table = unique("again")
    with aws_server(tmp_path) as servers:
        dynamodb = client(servers.endpoints, "dynamodb")
        make_table(dynamodb, table)
        dynamodb.put_item(TableName=table, Item=key("old"))
    # Deleted and made again before anybody looked, as a stack's update may do it.
    journal = tmp_path / "aws" / "journal.ndjson"
    lines = journal.read_text().splitlines()
    at, operations = next(json.loads(line) for line in lines if '["table"' in line)
    (operation,) = operations
    operation[2]["TableId"] = "another"
    written = ["set", operation[1], "new", "ITEM", key("new"), None]
    with journal.open("a") as more:
        more.write(json.dumps([at, [operation, written]]) + "\n")
    with aws_server(tmp_path) as servers:
        assert set(scan(client(servers.endpoints, "dynamodb"), table)) == {"new"}


def test_what_a_day_made_old_is_forgotten_but_not_the_items(tmp_path: Path) -> None:
    table, day = unique("old"), 86_400_000
    with aws_server(tmp_path) as servers:
        dynamodb = client(servers.endpoints, "dynamodb")
        streams = client(servers.endpoints, "dynamodbstreams")
        arn = make_table(dynamodb, table)
        position = iterator(streams, arn)
        for number in range(60):  # enough to be worth the work
            item = {**key(str(number % 3)), "filler": {"S": f"{number}" + "x" * 390_000}}
            dynamodb.put_item(TableName=table, Item=item)
        items = scan(dynamodb, table)
        sqs, sns = client(servers.endpoints, "sqs"), client(servers.endpoints, "sns")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="parked")
        topic = sns.create_topic(Name="t")["TopicArn"]
        s3 = client(servers.endpoints, "s3")
        s3.create_bucket(Bucket=table, ObjectLockEnabledForBucket=True)
        s3.put_object(Bucket=table, Key="a", Body=b"1", ObjectLockLegalHoldStatus="ON")
        old, _ = read(streams, position)
        assert len(old) == 60
    journal = tmp_path / "aws" / "journal.ndjson"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        line[0] -= day
        for operation in line[1]:
            if operation[0] == "set":
                change = operation[-1][0]["dynamodb"]
                change["ApproximateCreationDateTime"] -= day // 1000
                # From a clock that was far ahead.
                change["SequenceNumber"] = "1" + change["SequenceNumber"][1:]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    size = journal.stat().st_size
    for run in ("compacts", "reads that back"):
        with aws_server(tmp_path) as servers:
            assert journal.stat().st_size < size / 10
            dynamodb = client(servers.endpoints, "dynamodb")
            streams = client(servers.endpoints, "dynamodbstreams")
            assert scan(dynamodb, table) == items
            assert dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"] == arn
            with pytest.raises(streams.exceptions.TrimmedDataAccessException):
                streams.get_records(ShardIterator=position)
            with pytest.raises(streams.exceptions.TrimmedDataAccessException):
                iterator(streams, arn, after=old[-1]["dynamodb"]["SequenceNumber"])
            start = iterator(streams, arn)
            assert read(streams, start)[0] == []
            if run == "reads that back":
                dynamodb.update_item(**bump("new", table))
                (record,), _ = read(streams, start)
                assert record["dynamodb"]["Keys"] == key("new")
                assert int(record["dynamodb"]["SequenceNumber"]) > 10**29
            sqs, sns = client(servers.endpoints, "sqs"), client(servers.endpoints, "sns")
            url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
            (message,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
            assert message["Body"] == "parked"
            assert [each["TopicArn"] for each in sns.list_topics()["Topics"]] == [topic]
            s3 = client(servers.endpoints, "s3")
            hold = s3.get_object_legal_hold(Bucket=table, Key="a")["LegalHold"]
            assert hold == {"Status": "ON"}
