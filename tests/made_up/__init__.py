"""A feature family, a classifier and a data set as a user would add them: one file each."""
