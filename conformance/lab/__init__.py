"""Targets that need no cluster."""
