"""Requests to a language model: what is asked, how it is sent, and how the answer is read."""
