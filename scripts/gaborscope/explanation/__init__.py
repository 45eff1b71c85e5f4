"""Explanations of a network, without torch: layers, cascades, fusion, the explained model."""
