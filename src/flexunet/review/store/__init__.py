"""The database of a desk: every stroke and every decision, before the reader is told that it is kept."""
