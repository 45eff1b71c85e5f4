"""What could refute an explanation: halves, seeds, substitution, interventions, verdicts."""
