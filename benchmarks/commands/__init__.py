"""The commands of run_benchmark.py, one a file."""
