"""The Lambda entry of the metrics consumer."""

from consumers.metrics import SPEC
from consumers.metrics.projection import project
from consumers.metrics.sink import open_sink
from shared.entry import lambda_entry

handler = lambda_entry(SPEC, project, open_sink)
