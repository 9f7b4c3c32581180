"""The Lambda entry of the cache consumer."""

from consumers.cache import SPEC
from consumers.cache.projection import project
from consumers.cache.sink import open_sink
from shared.entry import lambda_entry

handler = lambda_entry(SPEC, project, open_sink)
