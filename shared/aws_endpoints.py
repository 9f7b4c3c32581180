"""Where an AWS service is, by the variables that AWS's SDKs read.

What Lambda has is answered at once: an endpoint variable, or a region of the `aws` or `aws-us-gov`
partition. Anything else (China, the isolated regions, FIPS, dual stack, a configuration
file) is asked of botocore, which knows every rule and takes 200 ms to say so.
"""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from shared.errors import InvalidSettings

# By the service's host name: botocore's name for it, and its own endpoint variable.
_SERVICES = {
    "dynamodb": ("dynamodb", "AWS_ENDPOINT_URL_DYNAMODB"),
    "s3": ("s3", "AWS_ENDPOINT_URL_S3"),
    "streams.dynamodb": ("dynamodbstreams", "AWS_ENDPOINT_URL_DYNAMODB_STREAMS"),
}
_is_plain = re.compile(r"(?:af|ap|ca|eu|il|me|mx|sa|us|us-gov)-[a-z]+-\d").fullmatch
_OTHER_RULES = (
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
)


class Endpoint(NamedTuple):
    """A server: whether it is spoken to in TLS, and where it listens."""

    secure: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As the Host header names it: the port only if it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def find_endpoint(service: str) -> tuple[Endpoint, str]:
    """Endpoint and region of `dynamodb`, `s3` or `streams.dynamodb`. Raises InvalidSettings."""
    environment = os.environ
    name, own_variable = _SERVICES[service]
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    # The order of AWS's SDKs: a service's own variable goes before the general one.
    url = environment.get(own_variable) or environment.get("AWS_ENDPOINT_URL")
    other_rules = any(map(environment.get, _OTHER_RULES))
    if region and url and not other_rules:
        return read_endpoint(url), region
    config = Path(environment.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()
    if region and _is_plain(region) and not (url or other_rules or config.is_file()):
        return Endpoint(secure=True, host=f"{service}.{region}.amazonaws.com", port=443), region
    return _ask_botocore(name, region)


def read_endpoint(url: str) -> Endpoint:
    """An endpoint from its URL. Raises InvalidSettings, which quotes none of it."""
    try:
        parts = urlsplit(url)
        host, port, secure = parts.hostname, parts.port, parts.scheme == "https"
        rest = parts.path.rstrip("/") or parts.query or parts.fragment or parts.username
        if parts.scheme not in {"http", "https"} or not host or rest:
            raise ValueError("not the URL of a server")
        host.encode("ascii")
    except ValueError:
        raise InvalidSettings(
            "AWS_ENDPOINT_URL (or a service's own) is no URL that Fanout can use",
            hint="set it to http[s]://host[:port], without a path and without credentials",
        ) from None
    return Endpoint(secure, host, port or (443 if secure else 80))


def _ask_botocore(name: str, region: str | None) -> tuple[Endpoint, str]:
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
    from botocore.session import get_session

    config = Config(
        signature_version=UNSIGNED,
        # Not the address that us-east-1 shares with the whole world, nor the bucket's own.
        s3={"us_east_1_regional_endpoint": "regional", "addressing_style": "path"},
    )
    try:
        client: Any = get_session().create_client(name, region_name=region, config=config)
        url = client.meta.endpoint_url
        if name == "s3":
            # Of S3's endpoints the client's own is a guess; requests go where S3's rules say.
            url = urljoin(client.generate_presigned_url("head_bucket", {"Bucket": "any"}), ".")
    except (BotoCoreError, ValueError) as error:
        raise InvalidSettings(
            f"no endpoint for {name}: {error}", hint="set AWS_REGION, as for any AWS tool"
        ) from error
    return read_endpoint(url), client.meta.region_name
