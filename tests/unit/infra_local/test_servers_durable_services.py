"""Queues, topics and objects are there after SIGKILL: a dead-letter queue must not forget."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.servers import LocalServers
from infra.local.servers import server as server_module
from tests.support.servers import aws_server, client, eventually, kill_aws, unique


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    with (
        pytest.MonkeyPatch.context() as patch,
        aws_server(tmp_path_factory.mktemp("durable")) as servers,
    ):
        patch.setattr(server_module, "LAST_BACKOFF_SECONDS", 0.1)
        yield servers


@pytest.fixture(scope="module")
def sqs(servers: LocalServers) -> Any:
    return client(servers.endpoints, "sqs")


@pytest.fixture(scope="module")
def sns(servers: LocalServers) -> Any:
    return client(servers.endpoints, "sns")


@pytest.fixture(scope="module")
def s3(servers: LocalServers) -> Any:
    return client(servers.endpoints, "s3")


def make_queue(sqs: Any, **attributes: str) -> tuple[str, str]:
    """URL and ARN of a new queue."""
    url = sqs.create_queue(QueueName=unique("queue"), Attributes=attributes)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, answer["Attributes"]["QueueArn"]


def receive(sqs: Any, url: str, visibility: int = 60) -> list[dict[str, Any]]:
    """Up to ten messages, hidden from others for `visibility` seconds."""
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=visibility,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    )
    return answer.get("Messages", [])


def depth(sqs: Any, url: str) -> tuple[int, int]:
    """Messages to be had, and messages that somebody has."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(answer[names[0]]), int(answer[names[1]])


def test_parked_messages_survive_a_kill_under_load(servers: LocalServers, sqs: Any) -> None:
    url, _ = make_queue(sqs)
    sent: list[str] = []
    enough = threading.Event()

    def send() -> None:
        while not enough.is_set():
            body = f"message {len(sent)}"
            try:
                sqs.send_message(QueueUrl=url, MessageBody=body)
            except BotoCoreError:
                time.sleep(0.02)
            else:
                sent.append(body)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    for _ in range(2):
        time.sleep(0.3)
        kill_aws(servers)
    time.sleep(0.2)
    enough.set()
    sender.join(60)
    kept = []
    while batch := receive(sqs, url):
        kept += [message["Body"] for message in batch]
    assert len(sent) > 50
    # A message whose answer was lost was sent again: a queue may hold it twice, never not at all.
    assert sorted(set(kept)) == sorted(sent)


def test_a_queue_comes_back_as_it_was(servers: LocalServers, sqs: Any) -> None:
    url, arn = make_queue(sqs, MessageRetentionPeriod="1209600")
    source, _ = make_queue(
        sqs, RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    )
    sqs.send_message(
        QueueUrl=url,
        MessageBody="kept é",
        MessageAttributes={
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            "consumer": {"DataType": "String", "StringValue": "totals"},
        },
    )
    for body in ("deleted", "received"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    got = {message["Body"]: message for message in receive(sqs, url)}
    sqs.delete_message(QueueUrl=url, ReceiptHandle=got["deleted"]["ReceiptHandle"])
    handle = got["kept é"]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    sqs.send_message(QueueUrl=source, MessageBody="failed")
    assert receive(sqs, source, visibility=0)
    assert not receive(sqs, source)  # moved to the other queue instead
    assert depth(sqs, url) == (2, 1)
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    kill_aws(servers)
    again = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert again == attributes
    assert depth(sqs, url) == (2, 1)
    # Still hidden, and to be deleted by the handle from before.
    sqs.delete_message(QueueUrl=url, ReceiptHandle=got["received"]["ReceiptHandle"])
    back = {message["Body"]: message for message in receive(sqs, url)}
    assert set(back) == {"kept é", "failed"}
    assert back["kept é"]["Attributes"]["ApproximateReceiveCount"] == "2"
    assert back["kept é"]["MessageAttributes"]["blob"]["BinaryValue"] == b"\x00\xff"
    assert back["kept é"]["MD5OfMessageAttributes"] == got["kept é"]["MD5OfMessageAttributes"]
    sqs.purge_queue(QueueUrl=url)
    sqs.delete_queue(QueueUrl=source)
    kill_aws(servers)
    assert depth(sqs, url) == (0, 0)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        depth(sqs, source)


def test_topics_deliver_before_and_after(servers: LocalServers, sqs: Any, sns: Any) -> None:
    url, arn = make_queue(sqs)
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    subscription = sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="before")
    kill_aws(servers)
    sns.publish(TopicArn=topic, Message="after")
    assert [message["Body"] for message in receive(sqs, url)] == ["before", "after"]
    sns.unsubscribe(SubscriptionArn=subscription)
    kill_aws(servers)
    assert not sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.publish(TopicArn=topic, Message="to nobody")
    assert depth(sqs, url) == (0, 2)


def test_objects_their_locks_and_their_bucket_survive(servers: LocalServers, s3: Any) -> None:
    bucket = unique("archive")
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}},
        },
    )
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    first = s3.put_object(
        Bucket=bucket,
        Key="date=2026-01-17/a",
        Body=b"one",
        IfNoneMatch="*",
        ContentType="application/zstd",
        Metadata={"records": "1"},
    )
    second = s3.put_object(Bucket=bucket, Key="date=2026-01-17/a", Body=b"two")
    held = s3.put_object(Bucket=bucket, Key="held", Body=b"", ObjectLockLegalHoldStatus="ON")
    kill_aws(servers)
    got = s3.get_object(Bucket=bucket, Key="date=2026-01-17/a")
    assert (got["Body"].read(), got["VersionId"]) == (b"two", second["VersionId"])
    got = s3.get_object(
        Bucket=bucket, Key="date=2026-01-17/a", VersionId=first["VersionId"], ChecksumMode="ENABLED"
    )
    assert (got["Body"].read(), got["ContentType"]) == (b"one", "application/zstd")
    assert (got["Metadata"], got["ETag"]) == ({"records": "1"}, first["ETag"])
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "b"}]
    for name, version in (
        ("date=2026-01-17/a", first["VersionId"]),
        ("date=2026-01-17/a", second["VersionId"]),
        ("held", held["VersionId"]),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(Bucket=bucket, Key=name, VersionId=version)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="date=2026-01-17/a", Body=b"three", IfNoneMatch="*")
    hold = s3.get_object_legal_hold(Bucket=bucket, Key="held")
    assert hold["LegalHold"]["Status"] == "ON"


def test_a_bucket_that_was_emptied_and_made_again_holds_what_is_new(
    servers: LocalServers, s3: Any
) -> None:
    bucket = unique("again")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="old", Body=b"1")
    s3.delete_object(Bucket=bucket, Key="old")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="new", Body=b"2")
    empty = unique("empty")
    s3.create_bucket(Bucket=empty)
    gone = unique("gone")
    s3.create_bucket(Bucket=gone)
    s3.delete_bucket(Bucket=gone)
    kill_aws(servers)
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["new"]
    names = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    assert {bucket, empty} <= names
    assert gone not in names


def test_an_event_of_a_bucket_is_in_the_queue_when_the_put_is_answered(
    servers: LocalServers, s3: Any, sqs: Any
) -> None:
    url, arn = make_queue(sqs)
    bucket = unique("notes")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
        SkipDestinationValidation=True,
    )
    sqs.purge_queue(QueueUrl=url)
    s3.put_object(Bucket=bucket, Key="parked", Body=b"1")
    kill_aws(servers)
    bodies = [json.loads(message["Body"]) for message in receive(sqs, url)]
    assert [body["Records"][0]["s3"]["object"]["key"] for body in bodies] == ["parked"]
    s3.put_object(Bucket=bucket, Key="later", Body=b"1")
    assert depth(sqs, url) == (1, 1)


def test_a_new_objects_metadata_is_on_disk_before_its_data(servers: LocalServers, s3: Any) -> None:
    bucket = unique("order")
    s3.create_bucket(Bucket=bucket)
    server = servers["aws"]
    was = server.status()
    folder = next((servers.folder / "aws" / "s3").glob(f"*/{bucket}"))
    # In the way of the metadata: what has been written when the server gives up?
    in_the_way = folder / "a.meta.json"
    in_the_way.mkdir()
    with pytest.raises(BotoCoreError):
        s3.put_object(Bucket=bucket, Key="a", Body=b"1", IfNoneMatch="*")
    in_the_way.rmdir()
    eventually(lambda: server.status().pid not in {0, was.pid}, "the server is restarted")
    assert server.status().trouble == "ended with code 74"
    assert f"object {bucket}/a cannot be written" in server.log.read_text()
    assert not (folder / "a").exists()
    # Metadata alone is no object, and the put that was not answered can be made again.
    (folder / "a.meta.json").write_text('{"key": "a", "etag": "x", "size": 1}')
    kill_aws(servers)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.put_object(Bucket=bucket, Key="a", Body=b"1", IfNoneMatch="*", ContentType="text/x")
    kill_aws(servers)
    assert s3.get_object(Bucket=bucket, Key="a")["ContentType"] == "text/x"
