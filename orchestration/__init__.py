"""How a table moves through the pipeline, and the command line."""
