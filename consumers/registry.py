"""The consumers that run: the one list that everything else is made from."""

from consumers import audit, cache, metrics, search, totals
from shared.spec import ConsumerSpec

REGISTRY: tuple[ConsumerSpec, ...] = (
    audit.SPEC,
    metrics.SPEC,
    cache.SPEC,
    search.SPEC,
    totals.SPEC,
)
