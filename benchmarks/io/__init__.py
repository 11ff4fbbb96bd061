"""Tables on disk, provenance, progress, worker processes."""
