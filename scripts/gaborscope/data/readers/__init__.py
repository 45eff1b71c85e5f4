"""Stimuli and fixations of one block as arrays, a module per type of data set."""
