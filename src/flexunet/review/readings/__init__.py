"""What readers do: masks with all their versions, decisions, the queue."""
