"""What a stopped run goes on from."""
