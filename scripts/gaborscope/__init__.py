"""Gaborscope: explain deep saliency models by log-Gabor filters."""

__version__ = "0.9.0"
