"""Split the deep model's information gain by Shapley value (rule split_bits)."""

import logging

import pandas as pd

from gaborscope.analysis import bits
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Join the parts' coalitions and write the split."""
    parts = [pd.read_csv(path).set_index("stimulus") for path in smk.input.gains]
    table = pd.concat(parts, axis=1)
    table = table.loc[:, ~table.columns.duplicated()]  # every part has the deep model's
    summary = bits.summarise(table, smk.params.n_resamples, smk.params.seed)
    with whole(smk.output.table) as temporary:
        summary.to_csv(temporary, index=False, float_format="%.6g")
    log.info("%s", "; ".join(f"{row.part} {row.bits:.3f}" for row in summary.itertuples()))


if __name__ == "__main__":
    run_stage(main, snakemake)
