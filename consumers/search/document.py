"""The document of an order: JSON for the index, straight from the raw image. Pure.

Only the attributes that support searches are read (`entities.SEARCHED_ATTRIBUTES`), in one pass:
whatever else is wrong with an order, it is still found. An attribute that is absent or NULL leaves
its field out; one of another type makes the record Malformed, as its order would be found wrongly.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from consumers.search.index import DELETED, DELETED_AT, FIELDS, ID, MAX_ID_BYTES, MAX_TERM_BYTES
from shared.codec import RawImage
from shared.doubles import nearest_double
from shared.entities import SEARCHED_ATTRIBUTES
from shared.errors import Malformed

Document = dict[str, Any]


class _Text(NamedTuple):
    """A string to be read: the attribute's name, the document's field, the path for people."""

    name: str
    field: str
    where: str


class _Shape(NamedTuple):
    """What is read of an image: strings, numbers, and the strings of maps and of lists of maps."""

    texts: tuple[_Text, ...]
    numbers: tuple[_Text, ...]
    maps: tuple[tuple[str, tuple[_Text, ...]], ...]
    lists: tuple[tuple[str, tuple[_Text, ...], str], ...]  # and the path of a member


def order_document(order_id: str, image: RawImage) -> bytes:
    """The document, as JSON, of an order in this state. Raises Malformed."""
    document: Document = {ID: order_id}
    _read_texts(image, _ORDER.texts, document)
    for name, field, _ in _ORDER.numbers:
        if name in image:
            _read_number(image[name], field, name, document)
    for name, texts in _ORDER.maps:
        if name in image:
            _read_texts(_body(image[name], "M", dict, name) or {}, texts, document)
    for name, texts, where in _ORDER.lists:
        if name in image:
            for member in _body(image[name], "L", list, name) or ():
                found: Document = {}
                _read_texts(_body(member, "M", dict, where) or {}, texts, found)
                for field in found:
                    if field in document:
                        document[field].append(found[field])
                    else:
                        document[field] = [found[field]]
    return _encoded(document)


def tombstone(order_id: str, deleted_ms: int) -> bytes:
    """The document, as JSON, of a removed order: nothing of a person is left in it."""
    return _encoded({ID: order_id, DELETED: True, DELETED_AT: deleted_ms})


def _encoded(document: Document) -> bytes:
    _check_length("the order's id", document[ID], MAX_ID_BYTES)
    try:
        encoded = orjson.dumps(document)
    except orjson.JSONEncodeError:
        fields = ", ".join(name for name, value in document.items() if not _is_unicode(value))
        raise Malformed(
            f"{fields}: holds half a surrogate pair, which no UTF-8 text can",
            hint="mend the writer, then redrive",
        ) from None
    if len(encoded) > MAX_TERM_BYTES:  # else no text in it is as long
        _check_terms(document)
    return encoded


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


def _check_terms(document: Document) -> None:
    for field, where in _EXACT.items():
        value = document.get(field, "")
        for text in value if isinstance(value, list) else (value,):
            _check_length(where, text, MAX_TERM_BYTES)


def _read_texts(members: RawImage, texts: tuple[_Text, ...], document: Document) -> None:
    # One call for all strings of a map: a call for each would cost more than all the rest.
    for name, field, where in texts:
        try:
            value = members[name]
            text = value["S"]
        except (KeyError, TypeError):
            if name not in members:
                continue
            value, text = members[name], None
        if text.__class__ is str and len(value) == 1:
            document[field] = text
        else:
            _require_null(value, where, "string (S)")


def _read_number(value: Any, field: str, where: str, document: Document) -> None:
    if value.__class__ is dict and len(value) == 1 and "N" in value:
        try:
            # For finding and showing; the exact decimal stays in the table.
            document[field] = nearest_double(value["N"])
        except Malformed:
            raise _malformed(where, "number (N)") from None
    else:
        _require_null(value, where, "number (N)")


def _body(value: Any, tag: str, kind: type, where: str) -> Any:
    """The body of a map (M) or list (L); None for a NULL. Raises Malformed."""
    try:
        body = value[tag]
        if body.__class__ is kind and len(value) == 1:
            return body
    except (KeyError, TypeError):
        pass  # a NULL, or said here
    _require_null(value, where, "map (M)" if kind is dict else "list (L)")
    return None


def _require_null(value: Any, where: str, wanted: str) -> None:
    if not isinstance(value, dict) or len(value) != 1 or "NULL" not in value:
        raise _malformed(where, wanted)


def _malformed(where: str, wanted: str) -> Malformed:
    return Malformed(
        f"{where} is no {wanted}",
        hint="mend the writer, then redrive; misread, the order would be found wrongly",
    )


def _texts(paths: Mapping[str, tuple[str, ...]], where: str) -> tuple[_Text, ...]:
    """The strings that `paths` (field -> path of one step) name."""
    assert all(FIELDS[field]["type"] != "double" for field in paths), "numbers stand at the top"
    return tuple(_Text(name, field, f"{where}.{name}") for field, (name,) in paths.items())


def _shape() -> _Shape:
    """What `SEARCHED_ATTRIBUTES` names, by how it is read."""
    texts, numbers = [], []
    maps: dict[str, dict[str, tuple[str, ...]]] = {}
    lists: dict[str, dict[str, tuple[str, ...]]] = {}
    for field, (name, *rest) in SEARCHED_ATTRIBUTES.items():
        if rest[:1] == ["*"]:
            lists.setdefault(name, {})[field] = tuple(rest[1:])
        elif rest:
            maps.setdefault(name, {})[field] = tuple(rest)
        elif FIELDS[field]["type"] == "double":
            numbers.append(_Text(name, field, name))
        else:
            texts.append(_Text(name, field, name))
    return _Shape(
        tuple(texts),
        tuple(numbers),
        tuple((name, _texts(paths, name)) for name, paths in maps.items()),
        tuple((name, _texts(paths, f"{name}[]"), f"{name}[]") for name, paths in lists.items()),
    )


_ORDER = _shape()
# What is found as a whole; what is found by words may be of any length: no word is over 255
# characters.
_EXACT = {
    field: ".".join(path).replace(".*", "[]")
    for field, path in SEARCHED_ATTRIBUTES.items()
    if FIELDS[field]["type"] == "keyword"
}
