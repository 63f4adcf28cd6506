"""What belongs together: folders, layouts, manifests, pairs, and what file names say."""
