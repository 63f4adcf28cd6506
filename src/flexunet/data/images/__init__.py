"""Images, masks and overlays: files to arrays and back."""
