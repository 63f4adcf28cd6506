"""What can be laid on the desk: data sets, drafts, images, DICOM files, predictions of a run."""
