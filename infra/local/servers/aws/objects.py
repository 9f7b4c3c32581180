"""Keeps S3: what the emulator's own files of objects leave out.

The emulator writes each object and its metadata to files before it answers. It does not write the
settings of buckets, nor who may not delete an object yet (retention and legal hold of Object
Lock); those go into the journal.

Not kept: multipart uploads that were not completed.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ministack.core.responses import AccountScopedDict
from ministack.services import s3

from infra.local.servers.aws.hooks import original, replace
from infra.local.servers.aws.journal import Journal, Operation, stop_server
from infra.local.servers.aws.shelf import Shelf, key_of, text_of, value_of

_LOCKS = ("_object_retention", "_object_legal_hold")


class _Tracked(AccountScopedDict):  # type: ignore[misc]  # the emulator has no types
    """A dictionary that remembers which keys were written, one per object being too many to scan.

    Its values are never changed in place.
    """

    __slots__ = ("dirty",)

    def __init__(self) -> None:
        super().__init__()
        self.dirty: set[Any] = set()

    def __setitem__(self, key: Any, value: Any) -> None:
        self.dirty.add(self._scoped(key))
        super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        self.dirty.add(self._scoped(key))
        super().__delitem__(key)

    def pop(self, key: Any, *default: Any) -> Any:
        if key in self:
            self.dirty.add(self._scoped(key))
        return super().pop(key, *default)

    def clear(self) -> None:
        self.dirty.update(self._data)
        super().clear()


class Objects:
    """The keeper of S3's part of the journal."""

    names = frozenset({"bucket", "lock"})

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._buckets = Shelf(
            {"buckets": s3._buckets, **original(s3, "_PERSISTED_BUCKET_DICTS")}, _without_objects
        )
        self._orphans: dict[Any, dict[str, Any]] = {}
        self._locks: dict[str, _Tracked] = {}
        for name in _LOCKS:
            original(s3, name)
            self._locks[name] = _Tracked()
            setattr(s3, name, self._locks[name])

    def hook(self) -> None:
        """Order the emulator's own writes so that a kill between two of them does no harm."""
        replace(s3, "_persist_object", self._on_persist)
        # In a thread of its own, a message could reach its queue after the answer and be lost.
        replace(s3, "_fire_s3_event_async", lambda _original: s3._fire_s3_event)

    def apply(self, operation: Operation) -> None:
        """Do again what an operation of an earlier run says."""
        name, store_name, listed, text = operation
        key = key_of(listed)
        if name == "lock":
            store = self._locks[store_name]._data
        elif store_name == "buckets":
            self._apply_bucket(key, text)
            return
        else:
            store = self._buckets.stores[store_name]._data
        if text is None:
            store.pop(key, None)
        else:
            store[key] = value_of(text)

    def finish(self) -> None:
        """Nothing is derived."""

    def changes(self) -> Iterator[Operation]:
        """Settings and locks that changed since the last call."""
        for name, key, text in self._buckets.changes():
            yield ["bucket", name, key, text]
        for name, store in self._locks.items():
            dirty, store.dirty = store.dirty, set()
            for key in dirty:
                value = store._data.get(key)
                yield ["lock", name, key, None if value is None else text_of(value)]

    def dump(self) -> Iterator[Operation]:
        """Everything as it is."""
        for name, key, text in self._buckets.entries():
            yield ["bucket", name, key, text]
        for name, store in self._locks.items():
            for key, value in list(store._data.items()):
                yield ["lock", name, key, text_of(value)]

    def _apply_bucket(self, key: Any, text: str | None) -> None:
        # The objects were read from their files already, as they are now: whatever happened to
        # the bucket in between, they belong to the one that is there at the end.
        old = s3._buckets._data.pop(key, None)
        if old is not None:
            self._orphans[key] = old["objects"]
        if text is not None:
            objects = self._orphans.pop(key, {})
            s3._buckets._data[key] = {**value_of(text), "objects": objects}

    def _on_persist(self, persist: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(bucket: str, key: str, record: dict[str, Any]) -> None:
            # The lock before the object: a lock without its object hurts nobody.
            for operation in self.changes():
                self._journal.append(operation)
            self._journal.commit(look=False)
            body, path = record["body"], s3._object_disk_path(bucket, key)
            if body is None or Path(path).exists():
                persist(bucket, key, record)
                written = record["body"] is None
            else:
                # A new object's metadata first: data without it would come back half described,
                # metadata without data comes back as no object.
                persist(bucket, key, {**record, "body": None})
                written = Path(f"{path}.meta.json").is_file() and _write(path, body)
                record["body"] = None  # as `persist` does: it is read from the file
            if not written:
                # It logs a failure and answers 200.
                stop_server(f"object {bucket}/{key} cannot be written; the line above says why")

        return hooked


def _write(path: str, body: bytes) -> bool:
    try:
        s3._atomic_write(path, body)
    except OSError as error:
        sys.stderr.write(f"{path}: {error.strerror}\n")
        return False
    return True


def _without_objects(name: str, value: Any) -> Any:
    if name != "buckets":
        return value
    return {part: inner for part, inner in value.items() if part != "objects"}
