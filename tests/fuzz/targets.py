"""What the coverage-guided fuzzer calls: bytes in, nothing out, and an exception for a fault."""

import base64
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice, product
from typing import Any

import orjson

from consumers.audit import projection as audit
from consumers.cache import projection as cache
from consumers.metrics import projection as metrics
from consumers.metrics.sink import _documents
from consumers.search import projection as search
from consumers.totals import projection as totals
from shared import emf, entities
from shared.codec import decode_image, decode_value
from shared.emf import Metric
from shared.encoding import encode_image
from shared.envelopes import Unreadable, read_records
from shared.errors import FanoutError, InvalidFilter, Malformed, NotAStream
from shared.filter_kinesis import compile_kinesis_filters
from shared.filters import compile_filter, wrap_for_kinesis
from shared.json_text import json_text
from shared.payloads import payload_decoder
from shared.records import Image, Record
from tests.support.emf_rules import checked_document

PROJECTIONS: tuple[Callable[[Record], Any], ...] = (
    audit.project,
    cache.project,
    metrics.project,
    search.project,
    totals.project,
)


def _parsed(data: bytes) -> Any:
    """What Python's parser makes of it, which takes more than JSON; None for nothing."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def decode(data: bytes) -> None:
    """An image is decoded as a whole as it is piece by piece, and comes back the same."""
    raw = _parsed(data)
    if not isinstance(raw, dict):
        return
    pieces: dict[str, Any] = {}
    damaged = False
    for name, value in raw.items():
        try:
            pieces[name] = decode_value(value)
        except Malformed as error:
            _assert_helpful(error)
            damaged = True
    try:
        whole = decode_image(raw)
    except Malformed:
        assert damaged
        return
    assert not damaged
    assert whole == pieces
    _assert_lossless(whole)


def _assert_helpful(error: FanoutError) -> None:
    assert error.reason
    assert error.hint


def _assert_lossless(whole: Mapping[str, Any]) -> None:
    try:
        text = encode_image(whole)
    except TypeError:
        return  # an empty set, which DynamoDB has not
    again = decode_image(text)
    assert again == whole
    for old, new in zip(whole.values(), again.values(), strict=True):
        if isinstance(old, Decimal):
            assert str(old) == str(new)


_PARTIAL = payload_decoder(("status", "customer", "metadata.updatedAt"))


def envelopes(data: bytes) -> None:
    """Whatever is in an event, reading and projecting raise what they say they raise."""
    parsed = _parsed(data)
    entry = {"kinesis": {"sequenceNumber": "1", "data": base64.b64encode(data).decode()}}
    both = (parsed, {"Records": [parsed, {"eventSource": "aws:kinesis", **entry}]})
    for event, decode in product(both, (None, _PARTIAL)):
        try:
            entries = list(read_records(event, decode))
        except NotAStream:
            continue
        for each in islice(entries, 50):
            if isinstance(each, Unreadable):
                assert each.error.hint
            else:
                _read(each)


def _read(record: Record) -> None:
    entities.heartbeat_written_ms(record.change)
    for project in PROJECTIONS:
        try:
            project(record)
        except Malformed as error:
            _assert_helpful(error)
    for read in _PROPERTIES:
        try:
            value = getattr(record, read)
            if isinstance(value, Image):
                value.decode()
        except Malformed:
            pass


_PROPERTIES = (
    *("event_id", "source", "keys", "kind", "item_key", "old", "new"),
    *("created_ms", "created_us", "version", "user_identity"),
)


def filters(data: bytes) -> None:
    """A pattern, a newline, a record: one verdict or one refusal, however both are given."""
    pattern_text, _, record_text = data.partition(b"\n")
    try:
        pattern = pattern_text.decode()
        compiled = compile_filter(pattern)
    except UnicodeDecodeError:
        return
    except InvalidFilter as error:
        _assert_helpful(error)
        return
    record = _parsed(record_text)
    if not isinstance(record, dict):
        return
    verdict = compiled.matches(record)
    assert type(verdict) is bool
    assert verdict is compile_filter(json.loads(pattern)).matches(record)
    try:
        wrapped = compile_kinesis_filters([wrap_for_kinesis(pattern)])
        alike = orjson.loads(record_text) == record
    except (InvalidFilter, orjson.JSONDecodeError, RecursionError):
        return  # too long once wrapped; or what only Python's parser takes
    entry = {"kinesis": {"data": base64.b64encode(record_text).decode()}}
    assert wrapped.matches(entry) is verdict or not alike


def emf_lines(data: bytes) -> None:
    """Whatever an order or score holds, what is printed is what CloudWatch takes."""
    image = _parsed(data)
    if not isinstance(image, dict):
        return
    folded: dict[Any, Any] = {}
    for number, prefix in enumerate(("ORDER#", "SCORE#")):
        keys = {"PK": {"S": f"{prefix}1"}, "SK": {"S": "USER#1"}}
        old = image.get("old", {})
        old = old if isinstance(old, dict) else {}
        for change, name in (
            ({"Keys": keys, "NewImage": image}, "INSERT"),
            ({"Keys": keys, "NewImage": image, "OldImage": old}, "MODIFY"),
        ):
            record = Record({}, {"eventID": f"e{number}"}, change, name, "1")
            try:
                counted = metrics.project(record)
            except Malformed:
                continue
            if counted is None:
                continue
            for series, value in counted.samples:
                folded.setdefault(series, []).append((counted.event_id, counted.item, value))
    for line in _documents(folded, 1_760_000_000_000):
        checked_document(line)
    for value in image.values():
        _own_document(value)


def _own_document(value: Any) -> None:
    try:
        dimension = emf.check_dimension(str(value))
    except Malformed:
        return
    numbers = [len(dimension), value] if isinstance(value, (int, float)) else [1] * len(dimension)
    try:
        lines = list(
            emf.documents(
                "Fuzz", 1_760_000_000_000, {"D": dimension}, [Metric("m", "None", numbers)]
            )
        )
    except (ValueError, OverflowError):
        return
    assert sum(len(_values(checked_document(line))) for line in lines) == len(numbers)


def _values(document: dict[str, Any]) -> list[float]:
    values = document["m"]
    return values if isinstance(values, list) else [values]


def parking(data: bytes) -> None:
    """Whatever was parsed can be written, and says the same when it is read again."""
    with _deeper():
        value = _parsed(data)
    text = json_text(value)
    assert text.isascii()
    with _deeper():
        again = _parsed(text.encode())
        try:
            same = json.dumps(again, separators=(",", ":"))
        except RecursionError:
            return  # it could just be read
    assert same == text


@contextmanager
def _deeper() -> Iterator[None]:
    """A parser that goes deeper than the code under test, as it does from Python 3.12 on."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit * 4)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "decode": decode,
    "envelopes": envelopes,
    "filters": filters,
    "emf": emf_lines,
    "parking": parking,
}
