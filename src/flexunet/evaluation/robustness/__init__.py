"""How scores hold when images are worse, moved or taken again: `flexunet evaluate --robustness`."""
