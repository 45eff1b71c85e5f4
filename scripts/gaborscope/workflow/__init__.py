"""What the Snakefile imports while it is parsed, and what every stage script shares."""
