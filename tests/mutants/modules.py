"""Which modules are mutated, and which tests have to notice."""

MODULES = (
    "filters/loggabor", "filters/regressors", "filters/sampling", "filters/pooling",
    "filters/second_stage", "filters/fourier", "filters/controls",
    "fitting/ridge", "fitting/sparse", "fitting/nonnegative", "fitting/nonlinearity",
    "fitting/statistics", "fitting/shapley", "fitting/files",
    "scoring/metrics", "scoring/gold_standard", "scoring/baselines", "scoring/comparisons",
    "scoring/summaries", "scoring/by_stimulus", "scoring/calibration", "scoring/exposure",
    "stimuli/fixations", "stimuli/geometry", "stimuli/densities", "stimuli/centre_bias",
    "stimuli/colour",
    "explanation/fusing", "explanation/accumulation", "explanation/model", "explanation/cascade",
    "cascades/fusing", "cascades/observed",
    "refutation/verdicts", "refutation/interventions", "refutation/notches",
    "refutation/stability", "refutation/evidence", "refutation/seeds",
    "analysis/identities", "analysis/bits", "analysis/ablation", "analysis/coalitions",
    "store/overlap", "store/blocks", "store/files",
    "workflow/digests", "workflow/variants", "workflow/contests", "workflow/completion",
    "workflow/plan",
    "data/catalogue", "data/layouts/scan",
)  # fmt: skip

# Folders and files below tests/ whose quick tests are tried on the modules of a package. They run
# in a process of their own for each mutant, so none of them may start the workflow.
TESTS = {
    "filters": ("filters",),
    "fitting": ("fitting",),
    "scoring": ("scoring",),
    "stimuli": ("stimuli",),
    "explanation": ("explanation",),
    "cascades": ("cascades",),
    "refutation": ("refutation",),
    "analysis": ("analysis",),
    "store": ("store",),
    "workflow": (
        "workflow/test_digests.py",
        "workflow/test_variants.py",
        "workflow/test_contests.py",
        "workflow/test_plan.py",
        "workflow/test_settings.py",
        "workflow/test_old_configs.py",
        "workflow/test_digest_content.py",
        "workflow/test_decisions.py",
    ),
    "data": ("data",),
}
