"""Trained models as they are served: opened, checked, and exchanged when another is published."""
