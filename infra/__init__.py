"""Where Fanout runs: one machine (`infra.local`) and AWS."""
