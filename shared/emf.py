"""CloudWatch's embedded metric format: metrics written as lines of JSON to stdout.

Rules that the published schema does not express (AWS, "Specification: Embedded metric
format"): dimension values are strings of 1 to 1,024 printable characters at the root;
values are finite, and from -2^360 to 2^360 (API reference, "MetricDatum"); at most 100 values
per metric, 100 metrics and 30 dimensions per document; Timestamp is whole milliseconds; one
document per line.
"""

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from shared.errors import Malformed

MAX_VALUES = 100
MAX_DIMENSIONS = 30
MAX_DIMENSION_CHARACTERS = 1024
MAX_MAGNITUDE = 2.0**360


class Metric(NamedTuple):
    """The values of one metric in one document. `unit` is one of CloudWatch's names."""

    name: str
    unit: str
    values: Sequence[float]


def check_dimension(value: str) -> str:
    """Return `value` if CloudWatch takes it as a dimension, else raise Malformed."""
    printable = value.isascii() and value.isprintable() and not value.isspace()
    if printable and 0 < len(value) <= MAX_DIMENSION_CHARACTERS and not value.startswith(":"):
        return value
    raise Malformed(
        "a metric dimension is empty, longer than 1,024 characters, or not printable ASCII",
        hint="mend the writer: statuses, step names and methods are short ASCII words",
    )


def documents(
    namespace: str,
    timestamp_ms: int,
    dimensions: Mapping[str, str],
    metrics: Iterable[Metric],
    properties: Mapping[str, Any] | None = None,
) -> Iterator[bytes]:
    """Yield the lines, each ending in a newline, that carry `metrics` for one dimension set.

    More than one where a metric has over 100 values: no value is lost or averaged.
    Properties are searchable in the log and cost no metric. Raises ValueError for a value
    that is not finite or over MAX_MAGNITUDE, since CloudWatch would drop it.
    """
    pending = list(metrics)
    part = 0
    while pending:
        root: dict[str, Any] = {**(properties or {}), **dimensions}
        rest = []
        for metric in pending:
            chunk = metric.values[part : part + MAX_VALUES]
            _check_values(metric.name, chunk)
            root[metric.name] = chunk[0] if len(chunk) == 1 else chunk
            if len(metric.values) > part + MAX_VALUES:
                rest.append(metric)
        definitions = _definitions(
            namespace, (*dimensions,), (*[(metric.name, metric.unit) for metric in pending],)
        )
        root["_aws"] = {"Timestamp": timestamp_ms, "CloudWatchMetrics": definitions}
        yield orjson.dumps(root, option=orjson.OPT_APPEND_NEWLINE)
        pending, part = rest, part + MAX_VALUES


def _check_values(name: str, values: Sequence[float]) -> None:
    # One pass for what is usual: a sum within the limit has no summand beyond it, and no NaN.
    if sum(map(abs, values)) <= MAX_MAGNITUDE:
        return
    if not all(map(math.isfinite, values)) or max(map(abs, values)) > MAX_MAGNITUDE:
        raise ValueError(f"a value of {name} is beyond what CloudWatch takes")


@lru_cache(maxsize=256)
def _definitions(
    namespace: str, dimensions: tuple[str, ...], metrics: tuple[tuple[str, str], ...]
) -> orjson.Fragment:
    """What the values of a document mean, as JSON: the same for document after document."""
    definition = {
        "Namespace": namespace,
        "Dimensions": [dimensions],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in metrics],
    }
    return orjson.Fragment(orjson.dumps([definition]))


def write(lines: Iterable[bytes]) -> None:
    """Print documents to stdout in one piece, where Lambda hands them to CloudWatch."""
    sys.stdout.flush()
    sys.stdout.buffer.write(b"".join(lines))
    sys.stdout.buffer.flush()
