"""Turn videos into a corpus."""
