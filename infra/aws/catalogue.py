"""The archive in Athena: a Glue table with partition projection, and queries to start from.

Partitions are computed from their names (Athena user guide, "Partition projection"): nothing has
to be crawled, and a query over an hour reads that hour's objects alone.
"""

from aws_cdk import Aws, Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue

from infra.aws.archive import ATHENA_PREFIX
from infra.aws.data import Data
from infra.aws.names import Names
from shared import archive_format

TABLE = "changes"
# An archive line's fields (shared/archive_format.py) and their Athena types. Keys and images
# stay the JSON that they are: their shape is the items', and no number loses a digit.
COLUMNS = {
    "eventid": "string",
    "eventname": "string",
    "sequencenumber": "string",
    "createdus": "bigint",
    "version": "bigint",
    "keys": "string",
    "old": "string",
    "new": "string",
    "useridentity": "string",
}
# The archive is older than this deployment where the bucket is given.
_FIRST_DAY = "2020-01-01"
_MOST_SCANNED_BYTES = 1024**4

QUERIES = {
    "history-of-an-item": (
        "Every change of one item, in order; put its keys and its days in.",
        """SELECT from_unixtime(createdus / 1e6) AS at, eventname, version, old, new
FROM {table}
WHERE date BETWEEN '2025-01-01' AND '2025-01-31'
  AND json_extract_scalar(keys, '$.PK.S') = 'ORDER#...'
GROUP BY 1, 2, 3, 4, 5
ORDER BY version""",
    ),
    "changes-per-hour": (
        "How much was changed, by hour and kind of change; repeats counted once.",
        """SELECT date, hour, eventname, count(DISTINCT eventid) AS changes
FROM {table}
WHERE date >= cast(current_date - interval '7' day AS varchar)
GROUP BY date, hour, eventname
ORDER BY date, hour, eventname""",
    ),
    "deleted-items": (
        "What was deleted, and whether DynamoDB did it itself (time to live).",
        """SELECT DISTINCT from_unixtime(createdus / 1e6) AS at, keys, useridentity, old
FROM {table}
WHERE date >= cast(current_date - interval '7' day AS varchar) AND eventname = 'REMOVE'
ORDER BY at""",
    ),
    "broken-image-chains": (
        "Items whose old image is not the new image before it: a change is missing between them.",
        """WITH once AS (
  SELECT eventid, keys, min(version) AS version, min(createdus) AS createdus,
         min(old) AS old, min(new) AS new
  FROM {table}
  WHERE date >= cast(current_date - interval '7' day AS varchar)
  GROUP BY eventid, keys
), pairs AS (
  SELECT *, lag(new) OVER (PARTITION BY keys ORDER BY version, createdus) AS before FROM once
)
SELECT keys, version, before, old FROM pairs
WHERE before IS NOT NULL AND old IS NOT NULL
  AND json_parse(before) <> json_parse(old)""",
    ),
}


def build(stack: Stack, names: Names, data: Data) -> None:
    """Make database, table, workgroup and queries."""
    bucket = data.settings["archive_bucket"]
    place = f"s3://{bucket}/{archive_format.PREFIX}"
    name = names.prefix.replace("-", "_")
    database = glue.CfnDatabase(
        stack,
        "Database",
        catalog_id=Aws.ACCOUNT_ID,
        database_input=glue.CfnDatabase.DatabaseInputProperty(
            name=name, description="Fanout: the archive of every change"
        ),
    )
    table = glue.CfnTable(
        stack,
        "ChangesTable",
        catalog_id=Aws.ACCOUNT_ID,
        database_name=name,
        table_input=_table_input(place),
    )
    table.add_resource_dependency(database)
    group = athena.CfnWorkGroup(
        stack,
        "WorkGroup",
        name=names.prefix,
        description="Fanout: queries over the archive",
        recursive_delete_option=True,
        work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
            enforce_work_group_configuration=True,
            publish_cloud_watch_metrics_enabled=True,
            bytes_scanned_cutoff_per_query=_MOST_SCANNED_BYTES,
            result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                output_location=f"s3://{bucket}/{ATHENA_PREFIX}/",
                encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                    encryption_option="SSE_KMS",
                    kms_key=data.reach.bucket_key_arn or data.reach.own_key_arn,
                ),
            ),
        ),
    )
    for title, (meaning, text) in QUERIES.items():
        query = athena.CfnNamedQuery(
            stack,
            f"Query{title.title().replace('-', '')}",
            name=title,
            description=meaning,
            database=name,
            work_group=names.prefix,
            query_string=text.format(table=TABLE),
        )
        query.add_resource_dependency(group)
        query.add_resource_dependency(table)


def _table_input(place: str) -> glue.CfnTable.TableInputProperty:
    column = glue.CfnTable.ColumnProperty
    return glue.CfnTable.TableInputProperty(
        name=TABLE,
        description="One line a change; see shared/archive_format.py",
        table_type="EXTERNAL_TABLE",
        partition_keys=[column(name="date", type="string"), column(name="hour", type="string")],
        parameters={
            "EXTERNAL": "TRUE",
            "classification": "json",
            "compressionType": "zstd",
            "projection.enabled": "true",
            "projection.date.type": "date",
            "projection.date.format": "yyyy-MM-dd",
            "projection.date.range": f"{_FIRST_DAY},NOW",
            "projection.hour.type": "integer",
            "projection.hour.range": "0,23",
            "projection.hour.digits": "2",
            "storage.location.template": f"{place}/date=${{date}}/hour=${{hour}}/",
        },
        storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
            location=f"{place}/",
            input_format="org.apache.hadoop.mapred.TextInputFormat",
            output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            compressed=True,
            columns=[column(name=name, type=kind) for name, kind in COLUMNS.items()],
            serde_info=glue.CfnTable.SerdeInfoProperty(
                serialization_library="org.openx.data.jsonserde.JsonSerDe",
                parameters={"case.insensitive": "true", "ignore.malformed.json": "false"},
            ),
        ),
    )
