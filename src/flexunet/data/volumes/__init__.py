"""NIfTI, MetaImage and NRRD volumes to arrays."""
