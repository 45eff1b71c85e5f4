"""From sufficient statistics to weights: ridge, sparse, non-negative, Shapley values."""
