"""A run in progress: its state, stages, tables, and how it is resumed."""
