"""What a prediction is written as: masks, overlays, lesions, contours, DICOM SEG."""
