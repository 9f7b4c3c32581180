"""All dashboards of a deployment, by the last part of their names."""

from collections.abc import Sequence
from typing import Any

from dashboards.business import business
from dashboards.consumer import consumer
from dashboards.deployed import Deployed
from dashboards.overview import overview
from shared.spec import ConsumerSpec

# The consumer whose numbers the business dashboard shows.
COUNTS_BUSINESS = "metrics"


def dashboards(specs: Sequence[ConsumerSpec], at: Deployed) -> dict[str, dict[str, Any]]:
    """One overview, one a consumer, and one for analysts if anybody counts for them."""
    made = {"overview": overview(specs, at)}
    made |= {spec.name: consumer(spec, at) for spec in specs}
    if any(spec.name == COUNTS_BUSINESS for spec in specs):
        made["business"] = business(at)
    return made
