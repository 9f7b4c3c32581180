"""The Lambda entry of the search consumer."""

from consumers.search import SPEC
from consumers.search.projection import project
from consumers.search.sink import open_sink
from shared.entry import lambda_entry

handler = lambda_entry(SPEC, project, open_sink)
