"""Counts of a data set, and their charts."""
