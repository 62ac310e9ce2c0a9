"""Covers drawn for anime that have no poster."""
