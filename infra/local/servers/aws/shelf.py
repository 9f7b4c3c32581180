"""Notices which entries of an emulator's dictionaries changed, for state that is small.

The emulator changes such entries in place, in many functions; comparing their text after a request
misses none of them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ministack.core.persistence import _json_default, _json_object_hook

Entry = tuple[str, tuple[Any, ...], str | None]
"""Name of the dictionary, key in it, and the value as text; None where the entry is gone."""


def text_of(value: Any) -> str:
    """The value as JSON text, bytes and the emulator's dictionaries included."""
    return json.dumps(value, default=_json_default, separators=(",", ":"))


def value_of(text: str) -> Any:
    """What `text_of` was given."""
    return json.loads(text, object_hook=_json_object_hook)


def key_of(listed: Any) -> Any:
    """A dictionary's key, which may be nested tuples, from its JSON form."""
    return tuple(key_of(part) for part in listed) if isinstance(listed, list) else listed


class Shelf:
    """Some dictionaries of one service, and what their entries looked like last time."""

    def __init__(
        self,
        stores: Mapping[str, Any],
        view: Callable[[str, Any], Any] = lambda _name, value: value,
    ) -> None:
        """Watch `stores`, the emulator's scoped dictionaries by name.

        Args:
            stores: by the name used in the journal.
            view: the part of a value that is worth keeping.
        """
        self.stores = stores
        self._view = view
        self._seen: dict[tuple[str, tuple[Any, ...]], str] = {}

    def entries(self) -> Iterator[Entry]:
        """All entries as they are."""
        for name, store in self.stores.items():
            for key, value in list(store._data.items()):
                yield name, key, text_of(self._view(name, value))

    def changes(self) -> Iterator[Entry]:
        """The entries that changed since the last call, the gone ones last."""
        now: dict[tuple[str, tuple[Any, ...]], str] = {}
        for name, key, text in self.entries():
            assert text is not None
            now[name, key] = text
            if self._seen.get((name, key)) != text:
                yield name, key, text
        gone = self._seen.keys() - now.keys()
        self._seen = now
        for name, key in gone:
            yield name, key, None
