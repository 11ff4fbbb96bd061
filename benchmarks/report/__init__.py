"""What a report is made of: blocks, tables, figures, and the writers of its files."""
