"""Image files: their names, which files of a folder they are, reading and writing."""
