"""Pictures that show the same thing, found by their local features."""
