"""Data: images, masks, pairs, phantoms, augmentation, split, audit, loading."""
