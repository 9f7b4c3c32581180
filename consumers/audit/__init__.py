"""`audit`: an immutable archive of every change."""

from shared.spec import ConsumerSpec, Grant, Source

SPEC = ConsumerSpec(
    name="audit",
    purpose="an immutable archive of every change, for auditors, analytics and replays",
    destination="S3",
    # Each change once and in order, with the sequence number that proves it.
    source=Source.STREAM,
    # No filter: every change of every kind of item.
    filters=(),
    settings=("archive_bucket",),
    grants=(Grant.ARCHIVE_WRITE,),
    batch_size=1_000,
    # For as long as the stream keeps a record: what S3 cannot take now, an on-failure destination,
    # which is S3 too, could not take either.
    retries=-1,
)
