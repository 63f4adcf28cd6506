"""Per-image and per-lesion tables, and the document of all scores."""
