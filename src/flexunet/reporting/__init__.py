"""What a run tells a journal: checklists filled from its files, figures, and what a person must add."""
