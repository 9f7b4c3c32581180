"""AWS clients: one per service and process, made when first asked for.

botocore's session is used directly: `import boto3` adds nothing that a handler needs. An
emulator is reached by AWS's own variable AWS_ENDPOINT_URL.
"""

from functools import cache
from typing import Any

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0


@cache
def _session() -> Any:
    # Imported late: most invocations of most consumers talk to no AWS service at all.
    from botocore.session import get_session

    return get_session()


@cache
def aws_client(service: str, attempts: int = 3) -> Any:
    """The client of an AWS service (`"sqs"`, `"s3"`, `"dynamodb"`).

    Bounded: a call that is not answered within seconds fails, and is tried `attempts` times
    in all, since the stream redelivers what could not be written.
    """
    from botocore.config import Config

    return _session().create_client(
        service,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            tcp_keepalive=True,
            s3={"addressing_style": "path"},
        ),
    )


def forget_clients() -> None:
    """Make the next call of `aws_client` read the environment anew: for who changes it."""
    aws_client.cache_clear()
    _session.cache_clear()
