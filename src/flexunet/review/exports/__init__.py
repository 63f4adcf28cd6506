"""What leaves a desk: a data set, COCO, DICOM Segmentation objects, a table of decisions."""
