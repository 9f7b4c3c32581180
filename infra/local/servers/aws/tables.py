"""Watches DynamoDB and reports its changes to the journal: tables, items, stream records, tokens.

Hooks sit on the two functions that change an item and on the one that emits a record, so every
kind of write passes them. An item's new image is written once, with its record; the old image is
the item before it, which the replay has at hand (`tables_replay`).

Not kept: backups, exports, imports, and Kinesis destinations (Kinesis itself is in memory).
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import dynamodb

from infra.local.servers.aws.corrections import RequestDigest
from infra.local.servers.aws.hooks import original, replace
from infra.local.servers.aws.journal import Journal, Operation
from infra.local.servers.aws.shelf import Shelf, value_of

IMAGES = ("OldImage", "NewImage")
SIDES = ("_tags", "_ttl_settings", "_pitr_settings", "_resource_policies")
_DERIVED = frozenset({"items", dynamodb._INDEX_MEMBERS, "ItemCount", "TableSizeBytes"})


def definition(table: dict[str, Any]) -> dict[str, Any]:
    """A table without its items and what is computed from them."""
    return {name: value for name, value in table.items() if name not in _DERIVED}


def scope(table: dict[str, Any]) -> tuple[str, str, str]:
    """Account, region and name of a table; a thread without a request has no other source."""
    _, _, _, region, account, resource = table["TableArn"].split(":", 5)
    return account, region, resource.removeprefix("table/")


class TableChanges:
    """Collects what happens to tables, from the moment `hook` is called."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._definitions = Shelf(
            {"table": dynamodb._tables}, lambda _name, table: definition(table)
        )
        self._sides = Shelf({name: original(dynamodb, name) for name in SIDES})
        # The table ids that the journal has by now.
        self._defined: dict[tuple[str, str, str], str] = {}
        # Requests run one by one on this thread, so the record that follows a write is its own.
        self._requests = threading.get_ident()
        self._held: tuple[Operation, Any, Any] | None = None

    def hook(self) -> None:
        """Report every change from now on."""
        replace(dynamodb, "_set_item", self._on_set)
        replace(dynamodb, "_remove_item", self._on_remove)
        replace(dynamodb, "_emit_stream_event", self._on_emit)
        replace(dynamodb, "_items_replaced", self._on_items_replaced)
        replace(dynamodb, "drop_stream_records", self._on_drop)
        replace(dynamodb, "_txn_token_store", self._on_token)

    def changes(self) -> Iterator[Operation]:
        """Definitions and settings of tables that changed since the last call."""
        self.flush()
        for _, key, text in self._definitions.changes():
            account, region, name = key
            defined = None if text is None else value_of(text)
            self._defined[account, region, name] = defined["TableId"] if defined else ""
            yield ["table", key, defined]
        for name, key, text in self._sides.changes():
            yield ["side", name, key, text]

    def flush(self) -> None:
        """Hand over the held write: no record followed (no stream, or nothing changed)."""
        held, self._held = self._held, None
        if held is not None:
            self._journal.append(held[0])

    def _on_set(self, set_item: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(table: Any, pk: str, sk: str, item: Any) -> Any:
            old = set_item(table, pk, sk, item)
            self._write(["set", self._known(table), pk, sk, item, None], old, item)
            return old

        return hooked

    def _on_remove(self, remove_item: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(table: Any, pk: str, sk: str) -> Any:
            old = remove_item(table, pk, sk)
            if old is not None:
                self._write(["del", self._known(table), pk, sk, None], old, None)
            return old

        return hooked

    def _write(self, operation: Operation, old: Any, new: Any) -> None:
        if threading.get_ident() != self._requests:
            self._journal.append(operation)
            return
        self.flush()
        self._held = operation, old, new

    def _on_emit(self, emit: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(table_name: str, *arguments: Any, **options: Any) -> None:
            held, self._held = self._held, None
            before = _newest(table_name)
            try:
                emit(table_name, *arguments, **options)
            finally:
                record = _newest(table_name)
                fresh = record if record is not before else None
                if held is not None:
                    operation, old, new = held
                    operation[-1] = fresh and _without_images(fresh, old, new)
                    self._journal.append(operation)
                elif fresh is not None:
                    table = dynamodb._tables.get(table_name)
                    self._journal.append(["record", self._known(table), fresh])

        return hooked

    def _on_items_replaced(self, items_replaced: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(table: Any) -> None:
            items_replaced(table)
            self.flush()
            self._journal.append(["items", self._known(table), table["items"]])

        return hooked

    def _on_drop(self, drop: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(table_name: str, table: Any = None) -> None:
            drop(table_name, table)
            self.flush()
            if table is not None:
                closed = dynamodb._closed_streams.get(table.get("LatestStreamArn"))
                at = closed["ClosedAt"] if closed else None
                self._journal.append(["closed", scope(table), definition(table), at])

        return hooked

    def _on_token(self, store: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(token: str, entry: dict[str, Any]) -> None:
            digest = RequestDigest.of(entry["signature"])
            store(token, {**entry, "signature": digest})
            kept = {**dynamodb._txn_idempotency[token], "signature": digest.hex}
            self._journal.append(["token", dynamodb._txn_idempotency._scoped(token), kept])

        return hooked

    def _known(self, table: Any) -> tuple[str, str, str]:
        """The table's scope, its definition being in the journal by now."""
        key = scope(table)
        if self._defined.get(key) != table["TableId"]:
            # Made in passing, as CloudFormation does it, and written to before anyone looked.
            self._defined[key] = table["TableId"]
            self._journal.append(["table", key, definition(table)])
        return key


def _newest(table_name: str) -> Any:
    records = dynamodb._stream_records.get(table_name)
    return records[-1] if records else None


def _without_images(record: dict[str, Any], old: Any, new: Any) -> list[Any]:
    """`[record, names of the images left out]`: the images the replay can put in by itself."""
    change = record["dynamodb"]
    known = {"OldImage": old, "NewImage": new}
    left_out = [name for name in IMAGES if name in change and change[name] == known[name]]
    kept = {name: value for name, value in change.items() if name not in left_out}
    return [{**record, "dynamodb": kept}, left_out]
