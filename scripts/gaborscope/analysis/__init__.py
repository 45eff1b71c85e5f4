"""Analyses of an explanation: identities, tuning, information, anatomy, ablation."""
