"""Training an end-to-end network: data feeding, augmentation, checkpoints, files."""
