"""Acceptance tests: both commands as processes, the way that their users start them."""
