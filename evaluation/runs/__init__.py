"""Evaluations of trained models, and the gate that decides which of them is published."""
