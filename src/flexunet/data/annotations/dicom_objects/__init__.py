"""Lesions in DICOM objects: segmentations, contours of radiotherapy, measurements of reports."""
