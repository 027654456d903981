"""Clusters in memory."""
