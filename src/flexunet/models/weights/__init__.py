"""Weights files: reading, writing, fitting and transferring."""
