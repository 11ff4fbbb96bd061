"""Training of an end-to-end network: data loading, augmentation, checkpoints, files."""
