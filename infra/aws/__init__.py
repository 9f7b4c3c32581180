"""AWS: a CDK app, made from the registry. Nothing that a SPEC says is said again here."""
