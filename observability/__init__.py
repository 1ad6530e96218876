"""Events, logs and their context."""
