"""What ratings say about tastes: one person's, the neighbours', and everybody's."""
