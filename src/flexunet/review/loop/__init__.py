"""Train, draft, review the most useful images, train again: in rounds, with random ones beside them."""
