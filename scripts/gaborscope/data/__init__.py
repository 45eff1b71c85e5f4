"""Data sets: found by the standard library alone, read into arrays, fetched."""
