"""Cascades in torch: fitted and refined along a network's graph."""
