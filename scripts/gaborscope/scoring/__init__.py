"""Metrics, baselines, and the statistics of scores."""
