"""Tables, columns and keys of the targets."""
