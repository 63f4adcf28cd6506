"""What is predicted of a DICOM image, as DICOM objects: segmentation, report, probabilities, a picture."""
