"""What must stop or mark a run: duplicates, leaks, conflicting labels, class marks."""
