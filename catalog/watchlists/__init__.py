"""A person's ratings and lists as files: written for them to take away, and read when they bring some.

Readers trust nothing: they stop at a size, a number of rows and a depth, and answer each row that is wrong with its
place and a reason.
"""
