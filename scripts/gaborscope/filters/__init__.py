"""Log-Gabor banks, their responses, and the regressors made of them."""
