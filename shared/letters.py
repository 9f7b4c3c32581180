"""What messages in a consumer's dead-letter queue are called, and where their large parts lie.

Names alone, for whoever sends such messages, reads them, or gives rights to do so.
"""

# A record that a consumer could not use (shared.parking).
PARKED_SCHEMA = "parked/1"
# Of records too large for SQS, in the archive's bucket: `parked/<consumer>/...`.
PARKED_PREFIX = "parked"
# A batch that Lambda gave up on: the message's `pointer` leads to the object with Lambda's own
# document, which holds the event under `payload`.
FAILED_SCHEMA = "failed/1"
