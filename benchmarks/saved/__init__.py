"""Fitted models on disk, and finished runs read back."""
