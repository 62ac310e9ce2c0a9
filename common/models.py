"""What every app of the site needs to keep, and what knows no anime."""
