"""Short rows of anime that are shown beside the list."""
