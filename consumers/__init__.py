"""The consumers, one folder each; `registry` lists them."""
