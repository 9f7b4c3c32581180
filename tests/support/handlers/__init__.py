"""Tiny Lambda handlers for tests of the runtime and of the event source mapping."""
