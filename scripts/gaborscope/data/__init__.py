"""Data sets: listed with the standard library alone, read into arrays, downloaded."""
