"""Many trainings as jobs of a scheduler: the grid of folds and seeds, Slurm, Kubernetes."""
