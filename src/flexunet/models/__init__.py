"""Models: one architecture a file, a registry, and weights files."""
