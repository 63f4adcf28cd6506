"""Exchange with other DICOM systems: objects sent, received, predicted and fetched over the network."""
