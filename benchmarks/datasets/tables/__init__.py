"""Parts of reading a table of images: the file, its columns, conditions, and names of images."""
