"""Keeps SQS and SNS: queues with their messages, topics with their subscriptions.

Messages arrive from SQS, SNS and S3 alike, so a look after each request finds what changed. The
look goes once over the messages there are, as SQS's own calls do here.
"""

from collections.abc import Iterator
from typing import Any

from ministack.services import sns, sqs

from infra.local.servers.aws.hooks import original
from infra.local.servers.aws.journal import Operation
from infra.local.servers.aws.shelf import Shelf, text_of, value_of

_SNS_STORES = ("_topics", "_sub_arn_to_topic")
# Computed whenever somebody asks for a queue's attributes.
_COUNTS = frozenset(
    {
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    }
)
_MARKS = ("receipt_handle", "visible_at", "receive_count", "first_receive_at")
Mark = tuple[Any, ...]


def _without_messages(_name: str, queue: dict[str, Any]) -> dict[str, Any]:
    attributes = {k: v for k, v in queue["attributes"].items() if k not in _COUNTS}
    rest = {k: v for k, v in queue.items() if k not in {"messages", "url"}}
    return {**rest, "attributes": attributes}


def _mark(message: dict[str, Any]) -> Mark:
    return tuple(message.get(name) for name in _MARKS)


class Queues:
    """The keeper of SQS's and SNS's part of the journal."""

    names = frozenset({"queue", "message", "seen", "gone", "sns"})

    def __init__(self) -> None:
        self._queues = Shelf({"queue": sqs._queues}, _without_messages)
        self._topics = Shelf({name: original(sns, name) for name in _SNS_STORES})
        self._known: dict[tuple[str, str, str], dict[str, Mark]] = {}

    def apply(self, operation: Operation) -> None:
        """Do again what an operation of an earlier run says."""
        name, *arguments = operation
        if name == "sns":
            self._apply_topic(*arguments)
        elif name == "queue":
            self._apply_queue(*arguments)
        else:
            self._apply_message(name, *arguments)

    def finish(self) -> None:
        """Find queues by name again."""
        sqs._rebuild_queue_name_index()

    def changes(self) -> Iterator[Operation]:
        """Queues, messages, topics and subscriptions that changed since the last call."""
        for _, key, text in self._queues.changes():
            yield ["queue", _stable(key), text]
            if text is None:
                self._known.pop(_stable(key), None)
        for scoped, queue in sqs._queues.all_items():
            yield from self._message_changes(_stable(scoped), queue["messages"])
        for name, key, text in self._topics.changes():
            yield ["sns", name, key, text]

    def dump(self) -> Iterator[Operation]:
        """Everything as it is."""
        for _, key, text in self._queues.entries():
            yield ["queue", _stable(key), text]
        for scoped, queue in sqs._queues.all_items():
            for message in queue["messages"]:
                yield ["message", _stable(scoped), text_of(message)]
        for name, key, text in self._topics.entries():
            yield ["sns", name, key, text]

    def _message_changes(
        self, key: tuple[str, str, str], messages: list[dict[str, Any]]
    ) -> Iterator[Operation]:
        known = self._known.get(key, {})
        now: dict[str, Mark] = {}
        for message in messages:
            identity, mark = message["id"], _mark(message)
            now[identity] = mark
            if identity not in known:
                yield ["message", key, text_of(message)]
            elif known[identity] != mark:
                yield ["seen", key, identity, mark]
        if gone := known.keys() - now.keys():
            yield ["gone", key, sorted(gone)]
        self._known[key] = now

    def _apply_topic(self, name: str, key: list[str], text: str | None) -> None:
        store = original(sns, name)
        if text is None:
            store.pop_scoped(*key, None)
        else:
            store.set_scoped(*key, value_of(text))

    def _apply_queue(self, key: list[str], text: str | None) -> None:
        account, region, name = key
        # The address has the port in it, which another run may not get again.
        url = sqs._queue_url_for_account(account, name)
        old = sqs._queues.pop_scoped(account, region, url, None)
        if text is not None:
            messages = old["messages"] if old else []
            queue = {**value_of(text), "url": url, "messages": messages}
            sqs._queues.set_scoped(account, region, url, queue)

    def _apply_message(self, name: str, key: list[str], what: Any, mark: Any = None) -> None:
        account, region, queue_name = key
        url = sqs._queue_url_for_account(account, queue_name)
        messages = sqs._queues.get_scoped(account, region, url)["messages"]
        if name == "message":
            messages.append(value_of(what))
        elif name == "gone":
            gone = frozenset(what)
            messages[:] = [message for message in messages if message["id"] not in gone]
        else:
            for message in messages:
                if message["id"] == what:
                    message.update(zip(_MARKS, mark, strict=True))


def _stable(scoped: tuple[Any, ...]) -> tuple[str, str, str]:
    """A queue's key without the port: account, region, name."""
    account, region, url = scoped
    return account, region, url.rsplit("/", 1)[-1]
