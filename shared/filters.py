"""Lambda event filter patterns, validated and matched as AWS does.

    orders = compile_filter('{"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "ORDER#"}]}}}}')
    orders.matches(record)  # the record as Lambda delivers it

A pattern names fields and lists what each accepts: texts, numbers, true, false, null, and objects
with one operator (`prefix`, `suffix`, `equals-ignore-case`, `anything-but`, `numeric`, `exists`).
All named fields must match, any entry of a list is enough, `$or` gives alternatives. Source:
Lambda developer guide, "Filter rule syntax"; the engine is aws/event-ruler.

What surprises: a DynamoDB number is text in a record (`{"N": "5"}`), so `numeric` never matches
one; `exists` sees only values, so it belongs under the type (`{"S": [{"exists": true}]}`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

from shared.errors import InvalidFilter
from shared.filter_match import Look, Path, order, search
from shared.filter_patterns import Alternative, read_pattern

__all__ = [
    "MAX_FILTERS",
    "Filter",
    "InvalidFilter",
    "Pattern",
    "compile_filter",
    "compile_filters",
    "refuse_too_many",
    "wrap_for_kinesis",
]

# Per event source mapping; AWS raises it to 10 on request (Lambda quotas).
MAX_FILTERS = 5

Pattern = str | Mapping[str, Any]


class Filter:
    """One compiled pattern, or several of which any may match. Immutable."""

    __slots__ = ("_alternatives",)

    def __init__(self, alternatives: Iterable[Alternative]) -> None:
        """Compile alternatives as `read_pattern` returns them."""
        self._alternatives = tuple(map(_compile, alternatives))

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether Lambda would deliver this record, given as JSON values. Never raises.

        Records from Kinesis are for `shared.filter_kinesis`, which decodes their payload first.
        """
        for looks, paths in self._alternatives:
            plain = True
            for look in looks:
                verdict = look(record)
                if verdict is None:
                    plain = False
                elif not verdict:
                    break
            else:
                if plain or search(paths, record):
                    return True
        return False


def _compile(alternative: Alternative) -> tuple[tuple[Look, ...], tuple[Path, ...]]:
    paths = [Path(name, accepts) for name, accepts in alternative.items()]
    # The shortest paths first: they cost least and tell most, as eventName does.
    looks = tuple(path.look for path in sorted(paths, key=lambda path: path.name.count(".")))
    return looks, tuple(sorted(paths, key=order))


def compile_filter(pattern: Pattern) -> Filter:
    """Compile one pattern, given as JSON text or as what such text parses to.

    Raises InvalidFilter for what AWS would refuse when the mapping is created; the reason names
    the path in the pattern, the hint says what to write instead.
    """
    return Filter(read_pattern(pattern))


def compile_filters(patterns: Iterable[Pattern]) -> Filter:
    """Compile the filters of one event source mapping: any may match; without any, all records do.

    Raises InvalidFilter as `compile_filter` does, and for more than five.
    """
    given = list(patterns)
    refuse_too_many(given)
    # An alternative without paths has nothing that could fail.
    return Filter([each for pattern in given for each in read_pattern(pattern)] if given else [{}])


def refuse_too_many(patterns: Sequence[Pattern]) -> None:
    """Raise InvalidFilter for more patterns than one mapping takes."""
    if len(patterns) > MAX_FILTERS:
        raise InvalidFilter(
            f"{len(patterns)} filters, and a mapping takes {MAX_FILTERS}",
            hint='join some with "$or", or list several values for one field',
        )


@overload
def wrap_for_kinesis(pattern: str) -> str: ...
@overload
def wrap_for_kinesis(pattern: Mapping[str, Any]) -> dict[str, Any]: ...
def wrap_for_kinesis(pattern: Pattern) -> str | dict[str, Any]:
    """The pattern for the same records read through Kinesis, where they lie under `data`.

    Text stays text and objects stay objects. Raises InvalidFilter if either form is refused:
    wrapping can take a pattern over Lambda's length.
    """
    wrapped: str | dict[str, Any]
    wrapped = f'{{"data":{pattern}}}' if isinstance(pattern, str) else {"data": pattern}
    for each in (pattern, wrapped):
        compile_filter(each)
    return wrapped
