"""Puts DynamoDB's part of the journal back into the emulator.

Stream records come back with their event ids, sequence numbers and positions, so that an iterator
or a checkpoint from before the restart still reads on where it stopped.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import dynamodb

from infra.local.servers.aws.corrections import SEQUENCE, RequestDigest
from infra.local.servers.aws.hooks import original
from infra.local.servers.aws.journal import Journal, Operation
from infra.local.servers.aws.shelf import key_of, text_of, value_of
from infra.local.servers.aws.tables import SIDES, TableChanges, definition


class Tables:
    """The keeper of DynamoDB's part of the journal."""

    names = frozenset(
        {"table", "set", "del", "items", "record", "closed", "trimmed", "sequence", "token", "side"}
    )

    def __init__(self, journal: Journal) -> None:
        self._watch = TableChanges(journal)
        self._apply = {name: getattr(self, f"_{name}") for name in self.names}

    def hook(self) -> None:
        """Report every change from now on."""
        self._watch.hook()

    def apply(self, operation: Operation) -> None:
        """Do again what an operation of an earlier run says."""
        self._apply[operation[0]](*operation[1:])

    def finish(self) -> None:
        """Compute what the tables derive from their items."""
        for table in dynamodb._tables.all_values():
            dynamodb._items_replaced(table)

    def changes(self) -> Iterator[Operation]:
        """Definitions and settings of tables that changed since the last call."""
        return self._watch.changes()

    def flush(self) -> None:
        """Hand over the last write, if no record followed it."""
        self._watch.flush()

    def dump(self) -> Iterator[Operation]:
        """The tables and items as they are; the records so far count as trimmed."""
        for key, table in dynamodb._tables.all_items():
            yield ["table", key, definition(table)]
            for pk, items in table["items"].items():
                for sk, item in items.items():
                    yield ["set", key, pk, sk, item, None]
        for name in SIDES:
            for key, value in original(dynamodb, name).all_items():
                yield ["side", name, key, text_of(value)]
        for key, records in dynamodb._stream_records.all_items():
            trimmed = dynamodb._stream_trimmed.get_scoped(*key, 0) + len(records)
            yield ["trimmed", key, trimmed]
        yield ["sequence", SEQUENCE.milliseconds, SEQUENCE.count]

    def _table(self, key: list[str], defined: dict[str, Any] | None) -> None:
        old = dynamodb._tables.pop_scoped(*key, None)
        if defined is None:
            return
        items = old["items"] if old and old["TableId"] == defined["TableId"] else defaultdict(dict)
        dynamodb._tables.set_scoped(*key, {**defined, "items": items})

    def _side(self, name: str, key: list[str], text: str | None) -> None:
        store = original(dynamodb, name)
        if text is None:
            store.pop_scoped(*key, None)
        else:
            store.set_scoped(*key, value_of(text))

    def _set(self, key: list[str], pk: str, sk: str, item: Any, record: list[Any] | None) -> None:
        bucket = dynamodb._tables.get_scoped(*key)["items"].setdefault(pk, {})
        old = bucket.get(sk)
        bucket[sk] = item
        if record is not None:
            stored, left_out = record
            self._record(key, stored, left_out, old=old, new=item)

    def _del(self, key: list[str], pk: str, sk: str, record: list[Any] | None) -> None:
        items = dynamodb._tables.get_scoped(*key)["items"]
        old = items[pk].pop(sk)
        if not items[pk]:
            del items[pk]
        if record is not None:
            stored, left_out = record
            self._record(key, stored, left_out, old=old)

    def _items(self, key: list[str], items: dict[str, Any]) -> None:
        dynamodb._tables.get_scoped(*key)["items"] = defaultdict(dict, items)

    def _record(
        self,
        key: list[str],
        record: dict[str, Any],
        left_out: list[str] | tuple[()] = (),
        old: Any = None,
        new: Any = None,
    ) -> None:
        for name in left_out:
            record["dynamodb"][name] = old if name == "OldImage" else new
        records = dynamodb._stream_records.get_scoped(*key)
        if records is None:
            dynamodb._stream_records.set_scoped(*key, records := [])
        records.append(record)
        SEQUENCE.resume_after(record["dynamodb"]["SequenceNumber"])

    def _closed(self, key: list[str], table: dict[str, Any], at: float | None) -> None:
        account, region, name = key
        with request_scope(account, region):
            dynamodb.drop_stream_records(name, table)
            if at is not None:
                dynamodb._closed_streams[table["LatestStreamArn"]]["ClosedAt"] = at

    def _trimmed(self, key: list[str], count: int) -> None:
        dynamodb._stream_trimmed.set_scoped(*key, count)

    def _sequence(self, milliseconds: int, count: int) -> None:
        SEQUENCE.resume(milliseconds, count)

    def _token(self, key: list[str], entry: dict[str, Any]) -> None:
        entry["signature"] = RequestDigest(entry["signature"])
        dynamodb._txn_idempotency.set_scoped(*key_of(key), entry)
