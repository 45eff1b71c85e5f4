"""What an explanation says: identities, tuning, information, anatomy, ablation."""
