"""Tests that could refute an explanation: halves, seeds, substitution, interventions, verdicts."""
