"""What a pipeline costs and how large it has to be: formulae over prices, quotas and measurements.

docs/cost.md explains each; nothing here talks to AWS.
"""
