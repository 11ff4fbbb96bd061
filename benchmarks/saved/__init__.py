"""Fitted models on disk, and opening a finished run."""
