"""Fit one temperature to a predictor by likelihood on the validation split (rule calibrate)."""

import logging

from gaborscope.scoring import calibration
from gaborscope.scoring.scorer import predictions
from gaborscope.store import tables
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.saliency import read_saliency
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fit the temperature; write it with the log-likelihood before and after."""
    likelihood = calibration.Likelihood()
    for data, saliency in zip(smk.input.data, smk.input.saliency, strict=True):
        block = read_data(data)
        for index, density in progress(read_saliency(saliency), len(block.names)):
            pairs = predictions(
                smk.wildcards.predictor, block, index, density, smk.params.uniform_weight
            )
            for prediction, pixels in pairs:
                likelihood.add(prediction, pixels)
    temperature = likelihood.fit()
    fitted = {
        "temperature": temperature,
        "nats_per_fixation_raw": likelihood.per_fixation(1.0),
        "nats_per_fixation_calibrated": likelihood.per_fixation(temperature),
        **provenance(smk),
    }
    tables.write_json(smk.output.temperature, fitted, sort_keys=True)
    log.info("temperature %.3f", temperature)


if __name__ == "__main__":
    run_stage(main, snakemake)
