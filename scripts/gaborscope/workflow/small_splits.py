"""Splits that are too small to show or to choose anything."""

# Stimuli below which a run says so, when it is planned and in its report, and what then holds.
LEAST = {"test": 20, "validation": 10}
FOLLOWS = {
    "test": "intervals of fewer than 20 are not to be relied on: take scores and verdicts as a "
    "trial of the machinery, and add stimuli before drawing a conclusion",
    "validation": "fewer than 10 choose badly: the epoch of a training, penalties, pools, and how "
    "many filters a map is named by; some 100 stimuli in all have as many",
}


def said_of(dataset: str, split: str, n: int) -> str:
    """
    Say that a split is too small to show, or to choose, anything.

    Parameters
    ----------
    dataset : str
        Name of the data set, or names of those that are fitted together.
    split : {"test", "validation"}
    n : int
        Number of its stimuli.

    Returns
    -------
    sentence : str
        Empty if there are as many as `LEAST` wants.
    """
    if n >= LEAST[split]:
        return ""
    stimuli = "stimulus" if n == 1 else "stimuli"
    return f"data set '{dataset}' has {n} {split} {stimuli}, and {FOLLOWS[split]}"
