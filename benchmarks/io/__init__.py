"""Tables and arrays on disk, provenance, progress, worker processes."""
