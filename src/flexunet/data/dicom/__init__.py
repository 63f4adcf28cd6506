"""DICOM radiographs to arrays."""
