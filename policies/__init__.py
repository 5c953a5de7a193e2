"""Which tag should run? Pure decisions, nothing else."""
