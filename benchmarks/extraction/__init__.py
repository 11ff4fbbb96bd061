"""From images to feature matrices, and the feature store."""
