"""A trained model behind HTTP: images in, masks, lesions, overlays and DICOM Segmentation objects out."""
