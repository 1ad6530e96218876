"""Change data capture: what differs, and its promotion to Stage."""
