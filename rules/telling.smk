"""
What a run says on the terminal: how far it is, and at its end what it found.

Needs results/summary.csv, results/fidelity.csv and results/verdicts.csv at the end; makes nothing.
"""


def last_lines():
    """Say what the run found, if it was asked for everything; no fault of that ends the run."""
    if plan.pending or "all" not in {job.rule.name for job in workflow.dag.jobs}:
        return
    try:
        logger.info("\n".join(closing.lines(".")), extra=progress.OWN)
    except Exception as error:
        logger.warning(f"the summary cannot be shown: {error}")


def begin_telling():
    """Count what the jobs cost; local ones write into a file. No fault of that ends the run."""
    try:
        TOLD.plan(
            (workflow.dag.jobid(job), job.rule.name, ASK.expected(job.rule.name, job.wildcards))
            for job in workflow.dag.needrun_jobs()
            if job.rule.name != "all"
        )
        logger.info(TOLD.outlook(), extra=progress.OWN)
        if prefix := progress.diverted(TOLD.jobs_log):
            shell.prefix(prefix)
    except Exception as error:
        logger.warning(f"progress cannot be shown: {error}")


# Before onstart, so that planning is as quiet as the run.
TOLD = None
if workflow.is_main_process and not workflow.dryrun:
    TOLD = progress.install(logger, workflow.output_settings, last_lines)
