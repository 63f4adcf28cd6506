"""Data sets that say where lesions are: masks, outlines or circles."""
