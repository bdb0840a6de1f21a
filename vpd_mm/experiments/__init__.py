"""Run few-shot grids, comparisons and ablations."""
