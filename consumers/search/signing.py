"""AWS Signature Version 4 for requests to an OpenSearch domain (service name `es`)."""

import os
from collections.abc import Mapping

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import get_session

from consumers.search.connection import Signer
from shared.errors import InvalidSettings


def sigv4_signer() -> Signer:
    """Signs with this process's role, whose credentials are renewed as botocore does.

    Raises InvalidSettings if there are no credentials, or no region.
    """
    session = get_session()
    credentials = session.get_credentials()
    region = os.environ.get("AWS_REGION") or session.get_config_variable("region")
    if credentials is None or not region:
        raise InvalidSettings(
            "FANOUT_SEARCH_SIGV4 is set, but there are no AWS credentials or no region",
            hint="run with a role and AWS_REGION, or unset FANOUT_SEARCH_SIGV4",
        )

    def sign(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
        SigV4Auth(credentials.get_frozen_credentials(), "es", region).add_auth(request)
        return dict(request.headers.items())

    return sign
