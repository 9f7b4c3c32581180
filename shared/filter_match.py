"""Does a record satisfy the paths of a pattern?

Two ways to the same answer. Nearly every record is plain objects along the way, and `Path.look`
follows it key by key. Where a record holds arrays, or keys with dots, `search` takes over. Its
rules are event-ruler's:

- A path is the keys joined by dots, in the pattern and in the record: `{"a.b": 1}` and
  `{"a": {"b": 1}}` are the same field.
- Only values that are neither object nor array are fields. An array is its elements, any of which
  is enough; an empty array or object is no field at all.
- Fields that satisfy one pattern may not come from different elements of the same array.
- Paths are settled in the order of their names. Where earlier ones have settled on an element of
  an array, `exists: false` looks into that element alone.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared.filter_values import Accepts, string_test, value_test

Record = Mapping[str, Any]
# An element of the record: the keys and indexes that lead to it.
Place = tuple[str | int, ...]
# Which element of an array has been settled on.
Settled = Mapping[Place, int]

Look = Callable[[Record], bool | None]

# The ways to spell a path grow with the square of its length; longer ones are for `search` alone.
_MAX_SEGMENTS = 32

_MISSING: Any = object()


class Path:
    """One path of a pattern and what its match array accepts.

    Attributes:
        name: the keys, joined by dots.
        absent: whether the path may be missing.
        accepts: whether one value is accepted.
        look: whether a record satisfies this path, or None where it takes `search` to tell.
    """

    __slots__ = ("absent", "accepts", "look", "name")

    def __init__(self, name: str, accepts: Accepts) -> None:
        """Compile the conditions."""
        self.name = name
        self.absent = accepts.absent
        self.accepts = value_test(accepts)
        self.look = _look(self, string_test(accepts))


def _look(path: Path, accepts_text: Callable[[str], object]) -> Look:
    absent, accepts = path.absent, path.accepts
    segments = path.name.split(".")
    if len(segments) > _MAX_SEGMENTS:
        return lambda _: None
    # For each key but the last, the keys with dots that would spell this path another way.
    dotted = tuple(
        (segment, tuple(".".join(segments[at:end]) for end in range(at + 2, len(segments) + 1)))
        for at, segment in enumerate(segments[:-1])
    )

    def look(record: Record) -> bool | None:
        node: Any = record
        for segment in segments:
            if type(node) is not dict:
                if _is_container(node) or node is record:
                    return None
                # A value where the path goes on is no field of this path.
                node = _MISSING
                break
            node = node.get(segment, _MISSING)
        if type(node) is str:
            if accepts_text(node):
                return True
            verdict = False
        elif node is _MISSING or type(node) is dict:
            verdict = absent
        elif _is_container(node):
            return None
        elif accepts(node):
            return True
        else:
            verdict = False
        node = record
        for segment, others in dotted:
            for other in others:
                if other in node:
                    return None
            node = node.get(segment)
            if type(node) is not dict:
                break
        return verdict

    return look


def search(paths: tuple[Path, ...], record: object) -> bool:
    """Whether the record satisfies all paths, which come sorted by `order`.

    No path is satisfied in what is no object, not even one that may be missing.
    """
    return isinstance(record, Mapping) and _satisfied(paths, 0, record, {}, set())


def order(path: Path) -> bytes:
    """Sort key of paths: the order of UTF-16 units, in which the engine settles them."""
    return path.name.encode("utf-16-be", "surrogatepass")


def _satisfied(
    paths: tuple[Path, ...],
    index: int,
    record: Record,
    settled: Settled,
    failed: set[tuple[int, frozenset[tuple[Place, int]]]],
) -> bool:
    if index == len(paths):
        return True
    settled = _still_needed(settled, paths[index:])
    attempt = (index, frozenset(settled.items()))
    if attempt in failed:
        return False
    path = paths[index]
    present = False
    for value, also_settled in _fields(path, record, settled):
        present = True
        if path.accepts(value) and _satisfied(paths, index + 1, record, also_settled, failed):
            return True
    if path.absent and not present and _satisfied(paths, index + 1, record, settled, failed):
        return True
    # Without this, arrays that have nothing to do with each other would multiply their lengths.
    failed.add(attempt)
    return False


def _still_needed(settled: Settled, paths: tuple[Path, ...]) -> Settled:
    """Drop the arrays through which none of the paths leads."""
    needed = {}
    for place, element in settled.items():
        trunk = ".".join(key for key in place if isinstance(key, str)) + "."
        if any(f"{path.name}.".startswith(trunk) for path in paths):
            needed[place] = element
    return needed


def _fields(path: Path, record: Record, settled: Settled) -> Iterator[tuple[object, Settled]]:
    """The record's fields of this name, each with the array elements that it settles on."""
    name, end = path.name, len(path.name)
    # A stack of our own: a hostile record may nest arrays deeper than Python nests calls. Each
    # entry says up to which character the name is spelled; past its end it is complete.
    stack: list[tuple[Any, int, Place, Settled]] = [(record, 0, (), settled)]
    while stack:
        node, start, place, chosen = stack.pop()
        if isinstance(node, Mapping):
            for key, value in node.items():
                stop = start + len(key)
                if name.startswith(key, start) and (stop == end or name[stop] == "."):
                    stack.append((value, stop + 1, (*place, key), chosen))
        elif not isinstance(node, (list, tuple)):
            if start > end:
                yield node, chosen
        else:
            if start > end:
                yield from ((item, chosen) for item in node if not _is_container(item))
            only = chosen.get(place)
            stack.extend(
                (node[index], start, (*place, index), {**chosen, place: index})
                for index in (range(len(node)) if only is None else (only,))
                if _is_container(node[index])
            )


def _is_container(value: object) -> bool:
    return isinstance(value, (Mapping, list, tuple))
