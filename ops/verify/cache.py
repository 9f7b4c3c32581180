"""Is each entry of the cache what its reader would load now?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson
from redis import RedisCluster

from ops.verify.findings import Damage, Finding, Verdict
from ops.verify.table import PAGE, Table, name_of, pages
from shared import entities
from shared.archive import image_digest
from shared.cache_client import CACHE_ERRORS, Client, connect
from shared.cache_keys import Cached, entry_of, split_name, value_key
from shared.codec import RawImage
from shared.entities import Kind
from shared.errors import Malformed, Unavailable

_NAME = "cache"
_SECONDS = 10.0
_HINT = (
    "see the cache consumer's lag in `fanout status` and redrive its dead-letter queue; "
    "UNLINK the entry to help its readers at once"
)
_KINDS = {Cached.ORDER: Kind.ORDER, Cached.TOTAL: Kind.TOTAL, Cached.SCORE: Kind.SCORE}

# Loads an entry as its reader does, by kind and id; see ops.traffic.reads.
Load = Callable[[Cached, str], Any]


class _Entry(NamedTuple):
    """An entry and its bytes; no bytes stand for the knowledge that there is no item."""

    name: str
    value: bytes


class CacheCheck:
    """Compares each entry with a load made after it was read."""

    def __init__(self, table: Table, load: Load, url: str, *, cluster: bool = False) -> None:
        """`url` is the cache's; nothing is connected yet."""
        self.verdict = Verdict(_NAME)
        # No: each entry is compared with a load of its own.
        self.needs_items = False
        self._table = table
        self._load = load
        self._url = url
        self._cluster = cluster

    def expect(self, kind: Kind, name: str, item: RawImage) -> None:
        """Nothing to take note of."""

    def compare(self) -> Iterator[Finding]:
        """Go through all keys, some hundreds at a time."""
        with self._connected() as client:
            names = _names(client)
            for page in pages(names):
                entries = list(_read(client, page))
                self.verdict.checked += len(entries)
                yield from self._compare(entries)

    def look_again(self, suspects: Sequence[Finding]) -> Iterator[Finding]:
        """Read the suspect entries again, then load what they should hold."""
        with self._connected() as client:
            for page in pages(finding.item for finding in suspects):
                yield from self._compare(list(_read(client, page)))

    @contextmanager
    def _connected(self) -> Iterator[Client]:
        try:
            with connect(self._url, cluster=self._cluster, seconds=_SECONDS) as client:
                yield client
        except CACHE_ERRORS as error:
            raise Unavailable(
                f"the cache did not answer: {type(error).__name__}",
                hint="check that it runs; `fanout status` shows the servers",
            ) from error

    def _compare(self, entries: Sequence[_Entry]) -> Iterator[Finding]:
        cached: dict[str, Any] = {}
        for entry in entries:
            try:
                cached[entry.name] = orjson.loads(entry.value) if entry.value else None
            except orjson.JSONDecodeError:
                detail = f"holds {len(entry.value):,} bytes that are no JSON text"
                yield Finding(_NAME, entry.name, Damage.CORRUPT, detail, _HINT)
        # Items are loaded in batches, lists and scores that are cached as absent one by one.
        items = {name: _item_of(name, value) for name, value in cached.items()}
        loaded = dict(self._table.named({item for item in items.values() if item}))
        for name, value in cached.items():
            item = items[name]
            fresh = loaded.get(item) if item else self._load(*split_name(name))
            if not _same(value, fresh):
                yield _difference(name, value, fresh)


def _names(client: Client) -> Iterator[str]:
    """The names of all entries; SCAN gives a key twice now and then."""
    seen: set[int] = set()
    for key in client.scan_iter(match="{*}", count=PAGE):
        entry = entry_of(key.decode(errors="replace"))
        if entry is not None and hash(entry) not in seen:
            seen.add(hash(entry))
            yield entry


def _read(client: Client, names: Sequence[str]) -> Iterator[_Entry]:
    """The entries of these names that are there."""
    keys = list(map(value_key, names))
    # A cluster's nodes are asked one by one: each entry is compared by itself.
    many = client.mget_nonatomic if isinstance(client, RedisCluster) else client.mget
    values: Any = many(keys)
    for name, value in zip(names, values, strict=True):
        if value is not None:
            yield _Entry(name, value)


def _item_of(entry: str, value: Any) -> str | None:
    """The name of the one item in an entry; None if it takes more than a key to load it."""
    cached, identity = split_name(entry)
    kind = _KINDS.get(cached)
    if kind is None:
        return None
    if kind is not Kind.SCORE:
        return name_of(*entities.key_pair(kind, identity))
    try:
        # No id stands for two scores, so the one cached must be the one in the table.
        return name_of(*entities.key_pair(kind, identity, entities.score_user(value)))
    except (Malformed, TypeError):
        return None


def _same(cached: Any, fresh: Any) -> bool:
    try:
        return image_digest(cached) == image_digest(fresh)
    except Malformed:
        return False


def _difference(entry: str, cached: Any, fresh: Any) -> Finding:
    """Names versions and attributes, never values: they may be personal."""
    if fresh is None:
        detail = f"holds {_what(cached)}; the table has no such item"
        return Finding(_NAME, entry, Damage.GHOST, detail, _HINT)
    detail = f"holds {_what(cached)}; a load gives {_what(fresh)}"
    if isinstance(cached, dict) and isinstance(fresh, dict):
        names = cached.keys() | fresh.keys()
        differing = sorted(name for name in names if cached.get(name) != fresh.get(name))
        detail += f"; they differ in {', '.join(map(str, differing))}"
    return Finding(_NAME, entry, Damage.STALE, detail, _HINT)


def _what(value: Any) -> str:
    if value is None:
        return "that there is none"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, Mapping):
        try:
            return f"version {entities.version_of(value)}"
        except Malformed:
            return "a damaged version"
    return "no item"
