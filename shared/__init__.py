"""The core that every consumer shares. Imports nothing of the rest of Fanout."""
