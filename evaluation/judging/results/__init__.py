"""What an experiment found, and how far to trust it."""
