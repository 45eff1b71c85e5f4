"""Where each type of data set keeps its files: their names, sizes and times."""
