"""Hypothesis strategies: changes of this table, sound, damaged and hostile, in both envelopes.

Hostile material is that of tests/fuzz, drawn through a `Random` that hypothesis controls: what
fails here is made smaller, which the bulk run cannot do.
"""

from random import Random
from typing import Any

from hypothesis import strategies as st

from shared.spec import Source
from tests.fuzz import hostile, material
from tests.support import records
from tests.support.records import CREATED, Raw

# What DynamoDB stores as a string; half surrogates are not UTF-8.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
numbers = st.decimals(
    min_value=-(10**20), max_value=10**20, places=4, allow_nan=False, allow_infinity=False
)
statuses = st.sampled_from(material.STATUSES)

_scalars = st.none() | st.booleans() | texts | numbers | st.binary(max_size=20)
values = st.recursive(
    _scalars | st.sets(texts, min_size=1, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)

# Drawn choice by choice, which shrinks well, or from a seed, which repeats itself less.
_randoms = st.randoms(use_true_random=False) | st.integers(0, 2**64).map(Random)

# Any JSON value at all, the ones no JSON text has among them.
hostile_values = _randoms.map(hostile.value)


@st.composite
def orders(draw: st.DrawFn) -> Raw:
    """An order as the application could have written it, with attributes of its own."""
    item = records.order(
        draw(names),
        draw(st.integers(1, 10**6)),
        status=draw(statuses),
        customerId=draw(names),
        totalAmount=draw(numbers),
    )
    return {**draw(st.dictionaries(names, values, max_size=2)), **item}


@st.composite
def scores(draw: st.DrawFn) -> Raw:
    """A score as the game could have written it."""
    return records.score(draw(names), draw(names), draw(numbers), draw(st.integers(1, 10**6)))


@st.composite
def sound_records(draw: st.DrawFn, source: Source, sequence: int = 1) -> Raw:
    """A record that every consumer can use."""
    item = draw(orders() | scores())
    version = item["metadata"]["version"] if "metadata" in item else item["version"]
    old = {**item, "version": version} if "version" in item else item
    make = records.stream_record if source is Source.STREAM else records.kinesis_record
    images = draw(st.sampled_from([(None, item), (old, item), (old, None)]))
    created = draw(st.integers(CREATED, CREATED + 10**6))
    return make(*images, sequence=sequence, event_id=f"drawn-{sequence}", created=created)


def damaged_records(source: Source, sequence: int = 1) -> st.SearchStrategy[Any]:
    """A record with something wrong anywhere in it, down to its bytes."""
    return _randoms.map(lambda rng: material.entry(rng, source, sequence, harm=1.0))


@st.composite
def batches(draw: st.DrawFn, source: Source, most: int = 6) -> list[Any]:
    """The entries of one event: sound and damaged ones, in any order."""
    size = draw(st.integers(1, most))
    return [
        draw(damaged_records(source, at) | damaged_records(source, at) | sound_records(source, at))
        for at in range(1, size + 1)
    ]


def sources() -> st.SearchStrategy[Source]:
    """Both envelopes."""
    return st.sampled_from([Source.STREAM, Source.KINESIS])
