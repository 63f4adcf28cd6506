"""Data sets that say which films show lesions, or box them, but draw no masks."""
