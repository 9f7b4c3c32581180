"""What is asked of a pipeline, and what of it each consumer gets: by its own filters."""

from dataclasses import dataclass, field
from typing import Any

from shared.entities import PARTITION_KEY, SORT_KEY, Kind, key_pair
from shared.filters import compile_filters
from shared.spec import ConsumerSpec

MONTH_SECONDS = 730 * 3600
# A stream record holds keys, both images as DynamoDB JSON, and AWS's own fields.
_ENVELOPE_KB = 0.6
# How much longer an item is as DynamoDB JSON than as DynamoDB counts it.
_JSON_FACTOR = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Changes of the table.

    Attributes:
        changes_per_second: of all kinds, on average.
        item_kb: an item's size as DynamoDB counts it.
        shares: of each kind among the changes; their sum is 1.
        insert_share: of changes that make a new item.
        fold: scores of one player in one batch, on average.
        stored_orders: that the search index and the cache hold.
    """

    changes_per_second: float
    item_kb: float = 2.0
    shares: dict[Kind, float] = field(
        default_factory=lambda: {Kind.ORDER: 0.7, Kind.SCORE: 0.2, Kind.TOTAL: 0.1}
    )
    insert_share: float = 0.25
    fold: float = 10.0
    stored_orders: int = 1_000_000

    @property
    def changes_per_month(self) -> float:
        """Of all kinds."""
        return self.changes_per_second * MONTH_SECONDS

    @property
    def record_kb(self) -> float:
        """A record on its way: an update carries two images."""
        images = 2 - self.insert_share
        return self.item_kb * images * _JSON_FACTOR + _ENVELOPE_KB

    def share_of(self, spec: ConsumerSpec) -> float:
        """The share of all changes that a consumer's filters let through."""
        matches = compile_filters(spec.filters).matches
        parts = {"INSERT": self.insert_share, "MODIFY": 1 - self.insert_share}
        return sum(
            share * part
            for kind, share in self.shares.items()
            for event, part in parts.items()
            if matches(_sample(kind, event))
        )


def _sample(kind: Kind, event: str) -> dict[str, Any]:
    partition, sort = key_pair(kind, "x", "x")
    keys = {PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": sort}}
    return {"eventName": event, "dynamodb": {"Keys": keys}}
