"""The life of an order: pure functions from one state of the item to the next.

```
PENDING_VALIDATION ┬> VALIDATED ┬> PAYMENT_COMPLETED > INVENTORY_UPDATED > SHIPPED > COMPLETED
                   │            ├> PAYMENT_FAILED ┬ retried up to three times,
                   │            ├> PAYMENT_ERROR ─┘ then PROCESSING_FAILED
                   └> VALIDATION_FAILED
Any order that is not paid may be cancelled: it is deleted.
```
"""

import random
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ops.traffic import catalogue
from shared.entities import FINAL_STATUSES, Kind, key_pair

Item = dict[str, Any]

_STAGES = ("VALIDATION", "PAYMENT", "INVENTORY", "SHIPPING")
_STEP_OF = {
    "VALIDATED": "PAYMENT",
    "PAYMENT_COMPLETED": "INVENTORY",
    "INVENTORY_UPDATED": "SHIPPING",
    "SHIPPED": "DELIVERY",
}
_PAYMENT_TROUBLE = frozenset({"PAYMENT_FAILED", "PAYMENT_ERROR"})
_NEXT = {
    "PAYMENT_COMPLETED": "INVENTORY_UPDATED",
    "INVENTORY_UPDATED": "SHIPPED",
    "SHIPPED": "COMPLETED",
}
MAX_PAYMENT_RETRIES = 3


def iso(moment: datetime) -> str:
    """UTC with milliseconds, as the application writes times."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_order(rng: random.Random, order_id: str, now: datetime) -> Item:
    """A fresh order, version 1, placed a little before `now`."""
    created = iso(now - timedelta(seconds=rng.uniform(0, 3 * 24 * 3600)))
    partition, sort = key_pair(Kind.ORDER, order_id)
    lines: list[Item] = [
        {
            "productId": f"prod-{catalogue.PRODUCTS.index(product):03}",
            "name": product[0],
            "quantity": rng.randint(1, 4),
            "price": Decimal(product[1]),
        }
        for product in rng.sample(catalogue.PRODUCTS, rng.randint(1, 5))
    ]
    city, state, postcode, country = rng.choice(catalogue.PLACES)
    return {
        "PK": partition,
        "SK": sort,
        "orderId": order_id,
        **_customer(rng),
        "status": "PENDING_VALIDATION",
        "items": lines,
        "totalAmount": sum((line["price"] * line["quantity"] for line in lines), Decimal(0)),
        "paymentMethod": rng.choice(catalogue.PAYMENT_METHODS),
        "shippingAddress": {
            "street": f"{rng.randint(1, 180)} {rng.choice(catalogue.STREETS)}",
            "city": city,
            "state": state,
            "zipCode": postcode,
            "country": country,
        },
        "workflowContext": {
            "currentStep": "VALIDATION",
            "retryCount": 0,
            "lastError": None,
            "processedStages": [],
            "pendingStages": list(_STAGES),
        },
        "metadata": {"createdAt": created, "updatedAt": created, "version": 1},
        "createdAt": created,
    }


def _customer(rng: random.Random) -> Item:
    number = rng.randint(1, 400)
    person = random.Random(number)  # the same customer is always the same person
    first, last = person.choice(catalogue.FIRST_NAMES), person.choice(catalogue.LAST_NAMES)
    mailbox = f"{first}.{last}.{number}".lower().replace("'", "")
    return {
        "customerId": f"cust-{number:05}",
        "customer": {
            "name": f"{first} {last}",
            "email": f"{mailbox}@example.org",
            "phone": f"+44 20 7946 {number:04}",
        },
    }


def is_final(item: Item) -> bool:
    """Whether the order's workflow has ended."""
    return item["status"] in FINAL_STATUSES


def advance(item: Item, rng: random.Random) -> Item | None:
    """The order after its next step, one version on; None if the customer cancels it."""
    status, changed = item["status"], deepcopy(item)
    context = changed["workflowContext"]
    luck = rng.random()
    unpaid = status in _PAYMENT_TROUBLE or status in {"PENDING_VALIDATION", "VALIDATED"}
    if unpaid and luck < 0.02:
        return None
    if status == "PENDING_VALIDATION":
        changed["status"] = "VALIDATION_FAILED" if luck < 0.06 else "VALIDATED"
        if luck < 0.06:
            context["lastError"] = "address could not be verified"
    elif status == "VALIDATED" or status in _PAYMENT_TROUBLE:
        _pay(changed, luck, retrying=status != "VALIDATED")
    else:
        changed["status"] = _NEXT[status]
    if step := _STEP_OF.get(changed["status"]):
        done = _STAGES[: (*_STAGES, "DELIVERY").index(step)]
        context |= {
            "currentStep": step,
            "processedStages": list(done),
            "pendingStages": [stage for stage in _STAGES if stage not in done],
        }
    return _touched(changed, rng)


def _pay(order: Item, luck: float, *, retrying: bool) -> None:
    context = order["workflowContext"]
    context["retryCount"] += retrying
    if luck < 0.78:
        order["status"], context["lastError"] = "PAYMENT_COMPLETED", None
    elif context["retryCount"] >= MAX_PAYMENT_RETRIES:
        order["status"], context["lastError"] = "PROCESSING_FAILED", "payment given up"
    elif luck < 0.92:
        order["status"], context["lastError"] = "PAYMENT_FAILED", "card declined"
    else:
        order["status"], context["lastError"] = "PAYMENT_ERROR", "payment provider timed out"


def edit(item: Item, rng: random.Random) -> Item:
    """The order after support changed it: another address, or moved to another customer."""
    changed = deepcopy(item)
    if rng.random() < 0.5:
        changed |= _customer(rng)
    else:
        changed["shippingAddress"]["street"] = (
            f"{rng.randint(1, 180)} {rng.choice(catalogue.STREETS)}"
        )
    return _touched(changed, rng)


def _touched(item: Item, rng: random.Random) -> Item:
    metadata = item["metadata"]
    before = datetime.fromisoformat(metadata["updatedAt"])
    metadata["updatedAt"] = iso(before + timedelta(seconds=rng.expovariate(1 / 90)))
    metadata["version"] += 1
    return item
