"""A language model as judge of recommendations, and people over it."""
