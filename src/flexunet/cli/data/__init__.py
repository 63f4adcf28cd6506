"""Commands that make, count or examine a data set."""
