"""From stimulus blocks to what the baselines need: relative fixations and the centre bias."""

from gaborscope.stimuli import fixations
from gaborscope.stimuli.centre_bias import CentreBias, relative, select_sigma


def relative_points(blocks):
    """
    Fixations of stimuli in relative coordinates.

    Parameters
    ----------
    blocks : sequence of StimulusBlock

    Returns
    -------
    points : dict of str to float64 array (n, 2)
        Stimulus name to x, y in 0..1.
    """
    found = {}
    for block in blocks:
        for index, name in enumerate(block.names):
            size = tuple(int(extent) for extent in block.sizes[index])
            points, _ = block.points(index)
            found[name] = relative(fixations.to_pixels(points, size), size)
    return found


def centre_bias(fit, validation, sigmas, uniform_weight):
    """
    Centre bias of the fit split, its width chosen by likelihood on the validation split.

    Parameters
    ----------
    fit, validation : sequence of StimulusBlock
    sigmas : sequence of float
        Candidate standard deviations, share of the stimulus's width; that along y is scaled by
        the first stimulus's aspect, so that the Gaussian is round on it.
    uniform_weight : float

    Returns
    -------
    centre_bias : CentreBias
    """
    height, width = (int(extent) for extent in fit[0].sizes[0])
    candidates = [(sigma, sigma * width / height) for sigma in sigmas]
    points = relative_points(fit)
    held_out = relative_points(validation)
    chosen, _ = select_sigma(points, held_out, candidates, uniform_weight)
    return CentreBias(points, chosen, uniform_weight)
