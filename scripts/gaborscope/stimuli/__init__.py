"""The ground floor: stimuli, their geometry, colours, fixations and densities, as arrays."""
