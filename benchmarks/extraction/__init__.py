"""Images to feature matrices, and the feature store."""
