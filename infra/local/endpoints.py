"""The variables by which AWS's SDKs find services that are not at AWS's own addresses."""


def endpoint_variables(aws_url: str, dynamodb_url: str = "") -> dict[str, str]:
    """The environment variables that lead to `aws_url`, and for DynamoDB to `dynamodb_url`.

    A variable of one service goes before the general one, so that DynamoDB's are always set:
    one of the user's own would lead half of the calls elsewhere.
    """
    dynamodb = dynamodb_url or aws_url
    return {
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": dynamodb,
    }
