"""The shared vocabulary: errors, names, types, system columns, control and ops tables, row hash. Imports nothing of ours."""
