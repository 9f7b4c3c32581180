"""Where embedded and real servers answer differently: each difference of `docs/fidelity.md`.

A test asserts what either engine does, so that a new version of one that closes the gap, or opens
it further, is noticed. What must be the same everywhere is in `tests/contract/`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from consumers.search.connection import Connection
from infra.local.mapping.source import TRIM_HORIZON, Trimmed
from infra.local.mapping.streams import DynamoStream
from infra.local.servers import LocalServers
from shared.clients import forget_clients
from shared.errors import Unavailable
from tests.support.engines import ENGINES, REAL, chosen
from tests.support.search import ask_server
from tests.support.servers import client, iterator, key, make_table, read, unique

DIGITS = "9" * 38


class Engine:
    """One of the two, with clients for it."""

    def __init__(self, name: str, servers: LocalServers) -> None:
        self.real = name == REAL
        self.endpoints = servers.endpoints
        self.dynamodb = client(servers.endpoints, "dynamodb")
        self.streams = client(servers.endpoints, "dynamodbstreams")

    def table(self) -> tuple[str, str]:
        """A new table's name and its stream's ARN."""
        name = unique("table")
        return name, make_table(self.dynamodb, name)

    def code(self, call: Any, **arguments: Any) -> str:
        """The error code of a call that must fail."""
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        return str(caught.value.response["Error"]["Code"])

    def add(self, table: str, number: str, name: str = "a") -> dict[str, Any]:
        return {
            "TableName": table,
            "Key": key(name),
            "UpdateExpression": "ADD amount :n",
            "ExpressionAttributeValues": {":n": {"N": number}},
        }


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return Engine(request.param, chosen(request))


def test_how_a_number_is_written(engine: Engine) -> None:
    """In one form, as in AWS; DynamoDB Local keeps the digits of sums and of nested numbers."""
    table, _ = engine.table()
    nested = {"M": {"n": {"N": "1E2"}}}
    engine.dynamodb.put_item(
        TableName=table, Item={**key("a"), "flat": {"N": "1.50"}, "in": nested}
    )
    for _ in range(2):
        engine.dynamodb.update_item(**engine.add(table, "1.50"))
    item = engine.dynamodb.get_item(TableName=table, Key=key("a"))["Item"]
    found = [each["N"] for each in (item["flat"], item["amount"], item["in"]["M"]["n"])]
    assert found == (["1.5", "3.00", "1E2"] if engine.real else ["1.5", "3", "100"])


def test_how_a_sum_beyond_38_digits_is_refused_in_a_transaction(engine: Engine) -> None:
    """A reason per item, as in AWS; DynamoDB Local refuses the call and names no item."""
    table, _ = engine.table()
    engine.dynamodb.update_item(**engine.add(table, DIGITS))
    items = [{"Update": engine.add(table, "0.1")}]
    code = engine.code(engine.dynamodb.transact_write_items, TransactItems=items)
    assert code == ("ValidationException" if engine.real else "TransactionCanceledException")


def test_what_a_transaction_is_said_to_have_consumed(engine: Engine) -> None:
    """Two units an item, as in AWS; DynamoDB Local counts each table once."""
    table, _ = engine.table()
    answer = engine.dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": table, "Item": key(str(n))}} for n in range(10)],
        ReturnConsumedCapacity="TOTAL",
    )
    (consumed,) = answer["ConsumedCapacity"]
    assert consumed["CapacityUnits"] == (2 if engine.real else 20)


def test_when_a_record_says_it_was_created(engine: Engine) -> None:
    """Whole seconds, as in AWS; DynamoDB Local's are whole minutes."""
    table, arn = engine.table()
    before = datetime.now(UTC)
    engine.dynamodb.put_item(TableName=table, Item=key("a"))
    (record,), _ = read(engine.streams, iterator(engine.streams, arn))
    created = record["dynamodb"]["ApproximateCreationDateTime"]
    assert created.microsecond == 0
    if engine.real:
        assert created.second == 0
    assert before - timedelta(seconds=60 if engine.real else 1) <= created <= datetime.now(UTC)


def test_sequence_numbers(engine: Engine) -> None:
    """Decimal digits that grow, everywhere; DynamoDB Local counts, and gives no time away."""
    table, arn = engine.table()
    for number in range(3):
        engine.dynamodb.update_item(**engine.add(table, "1", str(number)))
    records, _ = read(engine.streams, iterator(engine.streams, arn))
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    assert numbers == sorted(numbers)
    assert {len(number) for number in numbers} == {21 if engine.real else 30}
    if engine.real:
        first = int(numbers[0])
        assert [int(number) for number in numbers] == [first, first + 1, first + 2]


def test_a_position_that_the_stream_never_had(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trimmed, as in AWS; DynamoDB Local fails, and the mapping tries again and says so."""
    table, arn = engine.table()
    engine.dynamodb.put_item(TableName=table, Item=key("a"))
    for name, value in engine.endpoints.environment().items():
        monkeypatch.setenv(name, value)
    forget_clients()
    stream = DynamoStream(arn)
    (shard,) = stream.shards()
    with pytest.raises(Unavailable if engine.real else Trimmed):
        stream.open(shard.shard_id, "1" * 30).read(1)
    assert len(stream.open(shard.shard_id, TRIM_HORIZON).read(1).entries) == 1
    forget_clients()


def test_the_item_that_ends_a_page(engine: Engine) -> None:
    """A page of a scan ends before a megabyte or with the item that passes it, as in AWS."""
    table, _ = engine.table()
    for number in range(8):
        item = {**key(str(number)), "filler": {"S": "x" * 200_000}}
        engine.dynamodb.put_item(TableName=table, Item=item)
    page = engine.dynamodb.scan(TableName=table)
    assert len(page["Items"]) == (6 if engine.real else 5)
    assert "LastEvaluatedKey" in page


def test_the_names_and_keys_that_are_taken(engine: Engine) -> None:
    """DynamoDB Local signs nobody in but wants a key of letters and digits."""
    odd = client(
        type(engine.endpoints)(
            engine.endpoints.aws_url,
            "",
            "",
            access_key="with-dash",
            dynamodb_url=engine.endpoints.dynamodb_url,
        ),
        "dynamodb",
    )
    if engine.real:
        assert engine.code(odd.list_tables) == "UnrecognizedClientException"
    else:
        assert "TableNames" in odd.list_tables()


def test_the_region_in_an_arn(engine: Engine) -> None:
    """The client's, as in AWS; DynamoDB Local calls every region `ddblocal`."""
    _, arn = engine.table()
    assert arn.split(":")[3] == ("ddblocal" if engine.real else "us-east-1")


def test_a_version_beyond_63_bits(engine: Engine) -> None:
    """No version of ours gets there; OpenSearch fails (500) where the embedded one refuses."""
    url = engine.endpoints.search_url
    name = unique("versions")
    ask_server(url, "PUT", f"/{name}", {})
    head = '{"index": {"_id": "a", "version": 9223372036854775808, "version_type": "external"}}'
    connection = Connection(url)
    try:
        body = f"{head}\n{{}}\n".encode()
        answer = connection.request("POST", f"/{name}/_bulk", body, seconds=30)
        assert answer.status == (500 if engine.real else 400)
    finally:
        connection.close()
        ask_server(url, "DELETE", f"/{name}")
