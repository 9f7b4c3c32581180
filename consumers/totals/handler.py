"""The Lambda entry of `totals`."""

from consumers.totals import SPEC
from consumers.totals.projection import project
from consumers.totals.sink import open_sink
from shared.entry import lambda_entry

handler = lambda_entry(SPEC, project, open_sink)
