"""What must stop or mark a run: duplicates, leaks, conflicting labels, marks of a class."""
