"""Figures, the report's page, the model card."""
