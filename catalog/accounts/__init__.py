"""Accounts: signing in, tokens of programs, groups of staff, and the data that a person may take or delete."""
