"""How fast the descriptors are: ``python -m benchmarks.speed``."""
