"""The document of an order: JSON for the index, straight from the raw image. Pure.

Only the attributes that support searches are read (`entities.SEARCHED_ATTRIBUTES`), in one pass:
whatever else is wrong with an order, it is still found. An attribute that is absent or NULL leaves
its field out; one of another type makes the record Malformed, as its order would be found wrongly.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from consumers.search.index import DELETED, DELETED_AT, FIELDS, ID, MAX_ID_BYTES, MAX_TERM_BYTES
from shared.codec import RawImage
from shared.doubles import nearest_double
from shared.entities import SEARCHED_ATTRIBUTES
from shared.errors import Malformed

Document = dict[str, Any]
# Reads one attribute value into the document's fields.
_Reader = Callable[[Any, Document], None]


def order_document(order_id: str, image: RawImage) -> bytes:
    """The document, as JSON, of an order in this state. Raises Malformed."""
    document: Document = {ID: order_id}
    for name, read in _READERS:
        if name in image:
            read(image[name], document)
    return _encoded(document)


def tombstone(order_id: str, deleted_ms: int) -> bytes:
    """The document, as JSON, of a removed order: nothing of a person is left in it."""
    return _encoded({ID: order_id, DELETED: True, DELETED_AT: deleted_ms})


def _encoded(document: Document) -> bytes:
    _check_length("the order's id", document[ID], MAX_ID_BYTES)
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        fields = ", ".join(name for name, value in document.items() if not _is_unicode(value))
        raise Malformed(
            f"{fields}: holds half a surrogate pair, which no UTF-8 text can",
            hint="mend the writer, then redrive",
        ) from None


def _is_unicode(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True


def _check_length(what: str, text: str, limit: int) -> None:
    # A character takes four bytes at most: a short text need not be encoded to know.
    if len(text) * 4 > limit and len(text.encode(errors="surrogatepass")) > limit:
        raise Malformed(
            f"{what} is longer than the {limit:,} bytes that OpenSearch finds as a whole",
            hint="mend the writer, then redrive: cut, the order would be found under a wrong value",
        )


def _text(where: str, field: str, exact: bool) -> _Reader:
    # What is found by words may be of any length: no word is over 255 characters.
    short = MAX_TERM_BYTES // 4 if exact else sys.maxsize

    def read(value: Any, document: Document) -> None:
        try:
            text = value["S"]
        except (KeyError, TypeError):
            text = None
        if text.__class__ is str and len(value) == 1:
            if len(text) > short:
                _check_length(where, text, MAX_TERM_BYTES)
            document[field] = text
        else:
            _require_null(value, where, "string (S)")

    return read


def _number(where: str, field: str) -> _Reader:
    def read(value: Any, document: Document) -> None:
        if value.__class__ is dict and len(value) == 1 and "N" in value:
            try:
                # For finding and showing; the exact decimal stays in the table.
                document[field] = nearest_double(value["N"])
            except Malformed:
                raise _malformed(where, "number (N)") from None
            return
        _require_null(value, where, "number (N)")

    return read


def _map(where: str, readers: tuple[tuple[str, _Reader], ...]) -> _Reader:
    def read(value: Any, document: Document) -> None:
        try:
            members = value["M"]
        except (KeyError, TypeError):
            members = None
        if members.__class__ is dict and len(value) == 1:
            for name, read_member in readers:
                if name in members:
                    read_member(members[name], document)
        else:
            _require_null(value, where, "map (M)")

    return read


def _list(where: str, read_member: _Reader) -> _Reader:
    def read(value: Any, document: Document) -> None:
        if value.__class__ is dict and len(value) == 1:
            members = value.get("L")
            if members.__class__ is list:
                for member in members:
                    found: Document = {}
                    read_member(member, found)
                    for field, text in found.items():
                        if field in document:
                            document[field].append(text)
                        else:
                            document[field] = [text]
                return
        _require_null(value, where, "list (L)")

    return read


def _require_null(value: Any, where: str, wanted: str) -> None:
    if not isinstance(value, dict) or len(value) != 1 or "NULL" not in value:
        raise _malformed(where, wanted)


def _malformed(where: str, wanted: str) -> Malformed:
    return Malformed(
        f"{where} is no {wanted}",
        hint="mend the writer, then redrive; misread, the order would be found wrongly",
    )


def _readers(
    paths: Mapping[str, tuple[str, ...]], where: str = ""
) -> tuple[tuple[str, _Reader], ...]:
    """One reader for each first step of `paths` (field -> path), with all that is behind it."""
    by_step: dict[str, dict[str, tuple[str, ...]]] = {}
    for field, (step, *rest) in paths.items():
        by_step.setdefault(step, {})[field] = tuple(rest)
    return tuple((step, _reader(f"{where}{step}", rests)) for step, rests in by_step.items())


def _reader(where: str, rests: Mapping[str, tuple[str, ...]]) -> _Reader:
    field, rest = next(iter(rests.items()))
    if not rest:
        kind = FIELDS[field]["type"]
        return _number(where, field) if kind == "double" else _text(where, field, kind == "keyword")
    if rest[0] == "*":
        members = {name: path[1:] for name, path in rests.items()}
        return _list(where, _reader(f"{where}[]", members))
    return _map(where, _readers(rests, f"{where}."))


_READERS = _readers(SEARCHED_ATTRIBUTES)
