"""Which features matter, and where on the radiograph: one method a file, pure functions."""
