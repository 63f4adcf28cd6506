"""Changes of the tables, in order; Alembic runs those that a database lacks when a desk is opened."""
