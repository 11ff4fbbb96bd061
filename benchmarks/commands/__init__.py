"""The commands of run_benchmark.py, one per file."""
