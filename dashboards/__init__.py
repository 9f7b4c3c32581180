"""CloudWatch dashboards as data, made from the registry; `infra/aws` deploys them."""
