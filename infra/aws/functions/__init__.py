"""Functions that serve the deployment itself, not a consumer; they run in Lambda alone."""
