"""The order index as data: its names, mapping and analysis. Pure; `setup` creates it.

Writers use the write alias alone, and support the read alias alone, which hides tombstones; so
the index behind both can be replaced without either noticing.

`dynamic: false`: an attribute that nobody searches is never indexed by accident, and a writer's
new attribute can neither break the mapping nor fill it up. What is a `keyword` is found as a
whole, in any case of letters; what is a `text` is found by words, and roughly spelt.
"""

from typing import Any

INDEX = "orders-000001"
WRITE_ALIAS = "orders-write"
READ_ALIAS = "orders"
TEMPLATE = "fanout-orders"

# Lucene's limit for one term (IndexWriter.MAX_TERM_LENGTH); a document with a longer one is
# refused whole. OpenSearch's for an _id: longer ones make it refuse the whole bulk request.
MAX_TERM_BYTES = 32_766
MAX_ID_BYTES = 512

ID = "orderId"
DELETED = "deleted"
DELETED_AT = "deletedAt"

_EXACT = {"type": "keyword", "normalizer": "exact"}
_WORDS = {"type": "text", "analyzer": "words"}
_DATE = {"type": "date"}

FIELDS: dict[str, dict[str, Any]] = {
    ID: _EXACT,
    "customerId": _EXACT,
    "name": _WORDS,
    # Also by its parts: "lovelace" finds ada.lovelace@example.org.
    "email": {**_EXACT, "fields": {"parts": {"type": "text", "analyzer": "address"}}},
    "status": {"type": "keyword"},
    "product": _WORDS,
    "productId": _EXACT,
    "city": _WORDS,
    "postcode": {"type": "keyword", "normalizer": "postcode"},
    "totalAmount": {"type": "double"},
    "createdAt": _DATE,
    "updatedAt": _DATE,
    DELETED: {"type": "boolean"},
    DELETED_AT: {"type": "date", "format": "epoch_millis"},
}

MAPPING: dict[str, Any] = {"dynamic": False, "properties": FIELDS}

_ANALYSIS = {
    # "SW1Y 4JH", "sw1y4jh" and "SW1Y-4JH" are one postcode.
    "char_filter": {
        "unspaced": {"type": "pattern_replace", "pattern": "[\\s-]+", "replacement": ""},
        # Not a pattern tokenizer, which the embedded server applies inside out.
        "parted": {"type": "pattern_replace", "pattern": "[\\W_]+", "replacement": " "},
    },
    "normalizer": {
        "exact": {"type": "custom", "filter": ["lowercase", "trim"]},
        "postcode": {"type": "custom", "char_filter": ["unspaced"], "filter": ["lowercase"]},
    },
    "analyzer": {
        # "Müller" is found by "muller".
        "words": {
            "type": "custom",
            "tokenizer": "standard",
            "filter": ["lowercase", "asciifolding"],
        },
        "address": {
            "type": "custom",
            "char_filter": ["parted"],
            "tokenizer": "whitespace",
            "filter": ["lowercase", "asciifolding"],
        },
    },
}

ALIASES: dict[str, Any] = {
    WRITE_ALIAS: {"is_write_index": True},
    READ_ALIAS: {"filter": {"bool": {"must_not": {"term": {DELETED: True}}}}},
}


def template(shards: int = 1) -> dict[str, Any]:
    """The index template: every `orders-*` index gets this mapping, analysis and aliases.

    A replica wherever there is a second node. Refreshed every second, also while nobody
    searches: the first search after a quiet hour must not wait.
    """
    return {
        "index_patterns": [f"{READ_ALIAS}-*"],
        "priority": 100,
        "template": {
            "settings": {
                "number_of_shards": shards,
                "auto_expand_replicas": "0-1",
                "refresh_interval": "1s",
                "analysis": _ANALYSIS,
            },
            "mappings": MAPPING,
            "aliases": ALIASES,
        },
    }
