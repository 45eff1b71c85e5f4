"""The files of a run: HDF5, tables, and where each lies."""
