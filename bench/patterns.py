"""The filter patterns that the suite `filters` matches: the consumers' own, and two richer ones."""

import json

from consumers.registry import REGISTRY

_RICHER = (
    {
        "eventName": ["MODIFY"],
        "dynamodb": {"NewImage": {"status": {"S": [{"anything-but": ["COMPLETED", "SHIPPED"]}]}}},
    },
    {
        "dynamodb": {
            "NewImage": {
                "paymentMethod": {"S": ["CARD", "PAYPAL"]},
                "customer": {"M": {"email": {"S": [{"suffix": "@example.org"}]}}},
            }
        }
    },
)

PATTERNS = (
    *(pattern for spec in REGISTRY for pattern in spec.filters),
    *(json.dumps(pattern) for pattern in _RICHER),
)
