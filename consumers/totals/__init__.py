"""`totals`: each player's total score, exact, back in DynamoDB."""

import json

from shared.entities import PARTITION_KEY, Kind
from shared.spec import ConsumerSpec, Grant, Source

# Scores and heartbeats alone. What totals writes starts with TOTAL#, so it can never wake itself,
# although it writes into the table whose stream it reads. The ledger's table has no stream.
_KINDS = [{"prefix": Kind.SCORE.value}, {"prefix": Kind.HEARTBEAT.value}]

SPEC = ConsumerSpec(
    name="totals",
    purpose="Keeps each player's total score exact.",
    destination="DynamoDB: the total of each player, and the ledger of contributions",
    # One reader in order keeps a score's changes together, so that they fold.
    source=Source.STREAM,
    filters=(json.dumps({"dynamodb": {"Keys": {PARTITION_KEY: {"S": _KINDS}}}}),),
    settings=("table", "ledger_table"),
    grants=(Grant.TOTALS_WRITE,),
)
