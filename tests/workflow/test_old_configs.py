"""Configs that were valid before settings were regrouped mean and plan the same as then."""

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
import yaml
from snakemake.utils import update_config

from gaborscope.workflow import backbone_entries, settings
from gaborscope.workflow.completion import read_yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "fixtures" / "configs"
# what Snakemake planned, and every value after completion, with the code of that time
PLANS = json.loads((FOLDER / "plans.json").read_text(encoding="utf-8"))
VALUES = json.loads((FOLDER / "values.json").read_text(encoding="utf-8"))
# every data set is generated and small: plans do not depend on photographs that are not here
SMALL = {
    "type": "demo",
    "n_stimuli": 8,
    "height": 144,
    "width": 192,
    "n_observers": 10,
    "fixations_per_observer": 8,
    "seed": 1,
    "px_per_degree": 8,
}
# files that a config names as examples, and such as are here
HERE = {
    "path/to/file.py:function": "examples/own_model.py:vit",
    "my_weights.pth": "pretrained/cmrnet_osie.safetensors",
}
# configs that between them need every rule
EVERY_RULE = (
    "osie+osie_tests",
    "osie_unisal+osie_msinet+deep_cascades+deep_tests",
    "readme_baselines_alone",
    "own_model",
    "inherited",
    "readme_own_model",
    "finetune",
)
SAID = {
    "crowd+cascades": ["bits.explanations: []", "spectra.predictors: []", "faithfulness.expl"],
    "osie_unisal+deep_cascades": ["bits.expl", "spectra.pred", "faithfulness.explanations: []"],
    "osie_msinet+deep_cascades": ["bits.expl", "spectra.pred", "faithfulness.explanations: []"],
    "osie_unisal+osie_msinet+deep_cascades+deep_tests": ["bits.", "spectra.", "faithfulness."],
    "osie+osie_identities": ["explanations.direct.sparsity_scores.budgets puts"],
    "osie+osie_ablation": ["ablation.options puts ablation"],
    "osie+osie_ablation_whole": ["ablation.options puts ablation"],
    "tiny": ["faithfulness.explanations: [] takes faithfulness out of analyses"],
    "readme_baselines_alone": ["scores.calibrate: true puts calibration"],
    "one_trial": ["explanations.few.sparsity_scores.budgets puts"],
    "inherited": [
        "explanations.direct.sparsity_scores.budgets puts",
        "ablation.options puts ablation",
        "explanations.grey takes what it does not set from explanations.direct",
        "explanations.ridge takes what it does not set from explanations.direct",
    ],
}

SCORES = ("score", "score_calibrated")


def laid(files, folder=FOLDER):
    """Lay configs over each other, their data sets made small."""
    config = {}
    for name in files:
        update_config(config, read_yaml(folder / name) or {})
    config["datasets"] = {name: dict(SMALL) for name in ("demo", *config.get("datasets", {}))}
    return config


def over_shipped(config):
    found = read_yaml(ROOT / "config.yaml")
    update_config(found, config)
    return found


def leaves(config, path=()):
    if not isinstance(config, dict) or not config:
        yield ".".join(path), config
        return
    for key, value in config.items():
        yield from leaves(value, (*path, str(key)))


@pytest.mark.parametrize("case", PLANS)
def test_every_setting_has_the_value_it_had(case):
    config = settings.complete(over_shipped(laid(PLANS[case]["files"])))
    settings.check(config, settings.SCHEMA)
    backbone_entries.complete(config)
    found = dict(leaves(config))
    expected = {**VALUES["defaults"], **VALUES["cases"][case]["differs"]}
    for key in VALUES["cases"][case]["absent"]:
        del expected[key]
    # types too: rules record 2 and 2.0 as different settings
    assert {key: repr(found.get(key)) for key in expected} == {
        key: repr(value) for key, value in expected.items()
    }


@pytest.mark.parametrize("case", PLANS)
def test_each_deprecated_use_is_said_once(case):
    said = []
    settings.complete(over_shipped(laid(PLANS[case]["files"])), said)
    expected = SAID.get(case, [])
    assert len(said) == len(expected)
    for line, start in zip(said, expected, strict=True):
        assert line.startswith(f"config: {start}") and "\n" not in line
        assert " write " in line


def planned(tmp_path, cases):
    """Jobs by rule of configs, planned in two processes."""
    paths = []
    for i, (files, folder) in enumerate(cases):
        paths.append(str(tmp_path / f"{i}.yaml"))
        config = laid(files, folder)
        # mechanisms, which came later, split the coalitions of explained bits into more jobs
        config["regressors"] = {"mechanisms": [], **config.get("regressors", {})}
        text = yaml.safe_dump(config, sort_keys=False)
        for name, here in HERE.items():
            text = text.replace(name, here)
        Path(paths[-1]).write_text(text, encoding="utf-8")
    command = [sys.executable, str(ROOT / "tests" / "planning.py")]
    running = [
        Popen([*command, *part], cwd=ROOT, text=True, stdout=PIPE, stderr=PIPE)
        for part in (paths[::2], paths[1::2])
    ]
    found = [None] * len(paths)
    with ThreadPoolExecutor() as pool:
        for i, (out, error) in enumerate(pool.map(Popen.communicate, running)):
            assert running[i].returncode == 0, error[-4000:]
            found[i::2] = map(json.loads, out.splitlines())
    return found


def compare(case, jobs):
    """Jobs of the rules that there were; a rule that has come since is no matter."""
    known = {rule: n for rule, n in jobs.items() if rule in VALUES["rules"]}
    config = over_shipped(laid(PLANS[case]["files"]))
    # since then, each bank fitted to a deep model is a predictor
    banks = jobs.get("fit_deep_bank", 0) * len(config["evaluate_on"])
    for rule, n in (("calibrate", 1), *[(rule, len(config["presets"])) for rule in SCORES]):
        if rule in known:
            known[rule] -= n * banks
    assert known == PLANS[case]["jobs"], case


def commands():
    """Examples of today as their own commands lay them, by the name of the case of before."""
    found = {}
    for path in sorted((ROOT / "examples").glob("*.yaml")):
        text = re.sub(r"\\\n#\s*", "", path.read_text(encoding="utf-8"))
        for options in re.findall(r"^#\s+snakemake .*?--configfile (.*)$", text, re.MULTILINE):
            names = re.findall(r"examples/(\S+\.yaml)", options)
            found["+".join(name.removesuffix(".yaml") for name in names)] = names
    return found


def test_these_configs_need_every_rule():
    needed = set().union(*(PLANS[case]["jobs"] for case in EVERY_RULE))
    assert needed == set().union(*(plan["jobs"] for plan in PLANS.values()))


@pytest.mark.slow
@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(EVERY_RULE, id="every rule"),
        pytest.param(set(PLANS) - set(EVERY_RULE), id="the others", marks=pytest.mark.long),
    ],
)
def test_configs_of_before_plan_the_same_jobs(tmp_path, cases):
    cases = sorted(cases)
    found = planned(tmp_path, [(PLANS[case]["files"], FOLDER) for case in cases])
    for case, jobs in zip(cases, found, strict=True):
        compare(case, jobs)


def test_an_example_in_its_new_form_means_what_the_old_form_meant():
    for case, files in commands().items():
        if case not in PLANS:  # an example that has come since
            continue
        said = []
        new = settings.complete(over_shipped(laid(files, ROOT / "examples")), said)
        old = settings.complete(over_shipped(laid(PLANS[case]["files"])))
        assert not said, case
        assert new == old, case
