"""From stimulus blocks to what the baselines need: relative fixations and the centre bias."""

from gaborscope import baselines, fixations


def relative_points(blocks):
    """
    Fixations of stimuli in relative coordinates.

    Parameters
    ----------
    blocks : sequence of stimuli.StimulusBlock

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
            found[name] = baselines.relative(fixations.to_pixels(points, size), size)
    return found


def centre_bias(fit, validation, sigmas, uniform_weight):
    """
    Centre bias of the fit split, its width chosen by likelihood on the validation split.

    Parameters
    ----------
    fit, validation : sequence of stimuli.StimulusBlock
    sigmas : sequence of float
        Candidate standard deviations, share of the stimulus's width; that along y is scaled by
        the first stimulus's aspect, so that the Gaussian is round on it.
    uniform_weight : float

    Returns
    -------
    centre_bias : baselines.CentreBias
    """
    height, width = (int(extent) for extent in fit[0].sizes[0])
    candidates = [(sigma, sigma * width / height) for sigma in sigmas]
    points = relative_points(fit)
    held_out = relative_points(validation)
    chosen, _ = baselines.select_sigma(points, held_out, candidates, uniform_weight)
    return baselines.CentreBias(points, chosen, uniform_weight)
