"""What names and values mean: classes, labels and patients."""
