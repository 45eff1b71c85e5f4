"""Gaborscope: explain deep saliency models by log-Gabor filters (arrays in, arrays out)."""
