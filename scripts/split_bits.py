"""Split the deep model's information gain by Shapley value (rule split_bits)."""

import logging

from gaborscope.analysis import bits
from gaborscope.store import tables
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Join the parts' coalitions and write the split."""
    table = bits.join(map(tables.read_csv, smk.input.gains))
    summary = bits.summarise(table, smk.params.n_resamples, smk.params.seed)
    tables.write_csv(smk.output.table, summary)
    log.info("%s", "; ".join(f"{row.part} {row.bits:.3f}" for row in summary.itertuples()))


if __name__ == "__main__":
    run_stage(main, snakemake)
