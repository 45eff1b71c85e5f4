"""The workflow, run for real on a small made data set; jobs are counted as Snakemake plans them."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from gaborscope.data import catalogue
from gaborscope.explanation.model import ExplainedModel
from gaborscope.store.blocks import read_data
from gaborscope.store.saliency import read_density
from gaborscope.workflow import digests

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow

# Stimuli per split: enough for every step, few enough for a laptop.
WANTED = {"fit": 14, "validation": 3, "test": 4}
# Blocks that they lie in, two to fit, one to validate and two to test: each of them takes jobs.
USED = {0, 1, 7, 8, 9}


def made_names():
    """Names dealt to splits as WANTED says, and one spare for the fit and the test split."""
    found = {split: [] for split in WANTED}
    number = 0
    while any(len(found[split]) < WANTED[split] + 1 for split in WANTED):
        name = f"made_{number:03d}.png"
        block = catalogue.block_of(name, 10)
        split = catalogue.split_of_block(block, 10)
        if block in USED and len(found[split]) < WANTED[split] + 1:
            found[split].append(name)
        number += 1
    return found


def write_stimulus(folder, name, number):
    """Write a made photograph, colour or grey, landscape, portrait or odd, and its fixations."""
    rng = np.random.default_rng(number)
    size = [(60, 80), (80, 60), (47, 71), (64, 64)][number % 4]
    image = rng.integers(90, 150, (*size, 3)).astype(np.uint8)
    y, x = rng.integers(8, size[0] - 8), rng.integers(8, size[1] - 8)
    image[y - 5 : y + 5, x - 5 : x + 5] = [230, 40, 40]
    picture = Image.fromarray(image)
    (picture.convert("L") if number % 5 == 0 else picture).save(folder / "stimuli" / name)
    rows = []
    for subject in range(4):
        for _ in range(4):
            point = np.clip(rng.normal([x, y], 4), 0, [size[1] - 1, size[0] - 1])
            rows.append(f"{name},s{subject},{point[0]:.2f},{point[1]:.2f}")
    with open(folder / "fixations.csv", "a", encoding="utf-8") as handle:
        handle.write("\n".join(rows) + "\n")


def make_dataset(folder):
    names = made_names()
    (folder / "stimuli").mkdir(parents=True)
    (folder / "fixations.csv").write_text("stimulus,subject,x,y\n", encoding="utf-8")
    used = [name for split in WANTED for name in names[split][: WANTED[split]]]
    for number, name in enumerate(used):
        write_stimulus(folder, name, number)
    return {split: names[split][WANTED[split]] for split in WANTED}


def tiny_config(data):
    config = yaml.safe_load((ROOT / "tests" / "config.tiny.yaml").read_text(encoding="utf-8"))
    config["datasets"]["made"]["path"] = str(data)
    return config


def snakemake(folder, config, *arguments, root=ROOT, check=True, prefix=(), **variables):
    """Run the workflow; return its output and the number of jobs by rule."""
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [*prefix, sys.executable, "-m", "snakemake", *arguments, "--cores", "2"]
    command += ["--directory", str(folder), "--snakefile", str(root / "Snakefile")]
    command += ["--configfile", str(settings)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables}
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False, env=environment
    )
    output = done.stdout + done.stderr
    if check and done.returncode:
        pytest.fail(output[-6000:])
    table = re.search(r"^job +count\n-+ +-+\n((?:\S+ +\d+\n)+)", output, re.M)
    jobs = dict(line.split() for line in table[1].splitlines()) if table else {}
    jobs.pop("total", None)
    jobs.pop("all", None)
    return output, {rule.removesuffix("_cmrnet"): int(count) for rule, count in jobs.items()}


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the finished run, free to be changed."""
    folder, config, spare, _ = finished
    copy = tmp_path / "run"
    shutil.copytree(folder, copy, copy_function=shutil.copy2, symlinks=True)
    return copy, yaml.safe_load(yaml.safe_dump(config)), spare


def test_every_stage_runs(finished):
    assert {
        "prepare_dataset", "train_backbone", "measure_layers", "dump_activations",
        "predict_backbone", "accumulate", "fit_filters", "evaluate_filters", "identify",
        "reconstruct", "fit_fusion", "fuse", "predict_baseline", "score", "summarise", "compare",
        "compare_halves", "judge", "describe_tuning", "score_coalitions", "split_bits", "dissect",
        "accumulate_spectra", "fit_spectra", "report",
    } == set(finished[3])  # fmt: skip


def test_faithfulness_is_tested_where_it_is_asked_for(run):
    folder, config, _ = run
    config["analyses"].append("faithfulness")
    _, jobs = snakemake(folder, config)
    assert jobs == {
        "measure_means": 1, "substitute": 2, "rank_notches": 1, "intervene": 2,
        "summarise_faithfulness": 1, "judge": 1, "report": 1,
    }  # fmt: skip
    results = folder / "results" / "faithfulness" / "cmrnet" / "made" / "direct"
    replaced = pd.read_csv(results / "substitution.csv")
    own = replaced[replaced["substitute"] == "reconstruction"]
    assert set(own["layer"]) == set(config["activations"]["layers"])
    # no two test stimuli have a size in common, so that none can stand for another ("other")
    assert set(replaced["substitute"]) == {
        "intact", "reconstruction", "mean", "shuffled", "resampled"
    }  # fmt: skip
    changed = pd.read_csv(results / "interventions.csv")
    energies = changed.pivot_table(index=["stimulus", "notch"], columns="kind", values="energy")
    # pixels are whole numbers, and what is taken out of these small images may be little
    np.testing.assert_allclose(energies["random_cells"], energies["leading"], rtol=0.2)
    page = (folder / "results" / "report" / "index.html").read_text(encoding="utf-8")
    assert "Is it faithful? cmrnet, explanation direct" in page


def test_summary_has_every_predictor_and_metric(finished):
    table = pd.read_csv(finished[0] / "results" / "summary.csv")
    assert list(table.columns) == [
        "preset", "predictor", "dataset", "metric", "mean", "ci_low", "ci_high", "n"
    ]  # fmt: skip
    config = tiny_config("")
    predictors = {"centre_bias", "gold_standard", "cmrnet", "cmrnet-direct"}
    predictors |= set(config["baselines"]["predictors"])
    assert set(table["preset"]) == set(config["presets"])
    assert set(table["predictor"]) == predictors
    assert set(table["metric"]) >= {
        "auc_judd", "auc_borji", "auc_shuffled", "nss", "cc", "kld", "sim", "ig"
    }  # fmt: skip
    assert (table["n"] == WANTED["test"]).all()


def test_every_map_has_an_identity_of_few_filters(finished):
    results = finished[0] / "results"
    named = pd.read_csv(results / "identities" / "cmrnet" / "made" / "direct.csv")
    curve = pd.read_csv(results / "sparsity" / "cmrnet" / "made" / "direct.csv")
    assert set(named["layer"]) == {"cmr1", "dec1", "logits"}
    ranks = named.groupby(["layer", "map"])["rank"].apply(list)
    assert all(own == list(range(1, len(own) + 1)) and len(own) <= 8 for own in ranks)
    assert {*named["colour"].dropna()} <= {"Y", "U", "V"}
    seen = named.dropna(subset=["cycles_per_degree"])
    np.testing.assert_allclose(seen["cycles_per_degree"] * seen["wavelength_px"], 8, rtol=1e-4)
    assert (curve.groupby("layer").size() == 7).all()


def test_scores_have_one_row_per_test_stimulus(finished):
    table = pd.read_csv(finished[0] / "results" / "scores" / "mit" / "cmrnet" / "made.csv")
    names = made_names()["test"][: WANTED["test"]]
    assert sorted(table["stimulus"]) == sorted(names)


def test_explained_model_predicts_what_the_workflow_fused(finished):
    results = finished[0] / "results"
    model = ExplainedModel.load(results / "explained" / "cmrnet" / "made" / "direct.h5")
    path = sorted((results / "saliency" / "cmrnet-direct" / "made").glob("*.h5"))[-1]
    with h5py.File(path) as file:
        for index, name in enumerate(file["name"].asstr()[()]):
            image = np.array(Image.open(finished[0] / "data" / "stimuli" / name).convert("RGB"))
            fused = np.exp(file[f"log_density/{index}"][()])
            # the files between hold float16
            np.testing.assert_allclose(model.predict(image), fused, rtol=0.03)


def test_second_run_has_nothing_to_do(run):
    output, _ = snakemake(run[0], run[1])
    assert "Nothing to be done" in output


def test_fusion_setting_refits_no_filters(run):
    folder, config, _ = run
    config["explanations"]["direct"]["fusion"]["smoothing"] = 2.0
    _, jobs = snakemake(folder, config)
    assert jobs["fit_fusion"] == 1
    assert not {"fit_filters", "accumulate", "dump_activations", "train_backbone"} & set(jobs)


def test_bank_setting_dumps_and_trains_nothing(run):
    folder, config, _ = run
    config["explanations"]["direct"]["bank"]["bandwidth_ratio"] = 0.7
    _, jobs = snakemake(folder, config)
    assert jobs["fit_filters"] == len(config["activations"]["layers"])
    assert not {"dump_activations", "train_backbone", "predict_backbone"} & set(jobs)


def test_figure_colour_reruns_only_the_report(run):
    folder, config, _ = run
    config["report"]["colour_map"] = "magma"
    _, jobs = snakemake(folder, config)
    assert jobs == {"report": 1}


def test_new_test_stimulus_is_scored_without_a_refit(run):
    folder, config, spare = run
    config["datasets"]["made"]["path"] = str(folder / "data")
    # the files of the copy are new to the workflow: bring it to rest on them first
    snakemake(folder, config)
    write_stimulus(folder / "data", spare["test"], 7)
    _, jobs = snakemake(folder, config)
    assert jobs["prepare_dataset"] == 1
    assert not {"train_backbone", "fit_filters", "fit_fusion"} & set(jobs)
    table = pd.read_csv(folder / "results" / "scores" / "mit" / "cmrnet-direct" / "made.csv")
    assert spare["test"] in set(table["stimulus"])


def test_new_fit_stimulus_retrains_and_refits(run):
    folder, config, spare = run
    write_stimulus(Path(config["datasets"]["made"]["path"]), spare["fit"], 8)
    try:
        _, jobs = snakemake(folder, config, "--dry-run")
    finally:
        remove_stimulus(Path(config["datasets"]["made"]["path"]), spare["fit"])
    assert jobs["prepare_dataset"] == 1
    assert {"train_backbone", "fit_filters", "fit_fusion"} <= set(jobs)


def remove_stimulus(folder, name):
    (folder / "stimuli" / name).unlink()
    table = folder / "fixations.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(line for line in lines if not line.startswith(name)), encoding="utf-8")


def rules_with_changed_params(output):
    """Rules that a dry run would rerun for their own parameters' sake."""
    found = set()
    for part in re.split(r"^(?=rule |localrule )", output, flags=re.M):
        name = re.match(r"(?:local)?rule (\S+):", part)
        if name and re.search(r"reason:.*Params have changed", part):
            found.add(name[1].removesuffix("_cmrnet"))
    return found


@pytest.mark.parametrize(
    "module",
    [
        "explanation.fusion",
        "scoring.metrics",
        "backbones.training",
        "report.page",
        "filters.loggabor",
    ],
)
def test_library_edit_reruns_exactly_the_rules_that_use_it(finished, run, tmp_path, module):
    folder, config, _ = run
    code = tmp_path / "code"
    shutil.copytree(ROOT, code, ignore=shutil.ignore_patterns(".git", ".venv", "results", ".snak*"))
    output, _ = snakemake(folder, config, "--dry-run", root=code)
    assert "Nothing to be done" in output
    path = code.joinpath("scripts", "gaborscope", *module.split(".")).with_suffix(".py")
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    output, jobs = snakemake(folder, config, "--dry-run", root=code)
    users = {
        script.stem
        for script in (ROOT / "scripts").glob("*.py")
        if module in digests.closure(*(digests.imported(script) - {"errors"}))
    } & set(finished[3])  # rules that this config needs
    # what reruns anyway, behind another rerun, does not name its parameters as the reason
    assert rules_with_changed_params(output) <= users <= set(jobs)
    assert rules_with_changed_params(output)


def job_counts_after(run, change):
    folder, config, _ = run
    change(folder, config)
    return snakemake(folder, config, "--dry-run")[1]


def test_another_metric_preset_scores_and_summarises_alone(run):
    def change(folder, config):
        config["presets"] = ["mit", "pysaliency", "exact"]

    jobs = job_counts_after(run, change)
    predictors = set(pd.read_csv(run[0] / "results" / "summary.csv")["predictor"])
    assert set(jobs) == {"score", "summarise", "compare", "judge", "report"}
    assert jobs["score"] == len(predictors)  # by "exact" alone, which is new


def test_a_training_setting_retrains_but_prepares_no_data(run):
    def change(folder, config):
        config["training"]["learning_rate"] = 0.001

    jobs = job_counts_after(run, change)
    assert jobs["train_backbone"] == 1 and "prepare_dataset" not in jobs


def test_other_weights_rerun_all_that_follows_from_them(run):
    def change(folder, config):
        path = folder / "results" / "weights" / "cmrnet.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(bytes(content))

    jobs = job_counts_after(run, change)
    assert {"measure_layers", "dump_activations", "predict_backbone", "fit_fusion"} <= set(jobs)
    assert not {"prepare_dataset", "train_backbone", "predict_baseline"} & set(jobs)


def test_an_upgraded_package_reruns_what_uses_it(run, finished, tmp_path, monkeypatch):
    upgraded = tmp_path / "upgraded" / "pyFFTW-99.0.dist-info"
    upgraded.mkdir(parents=True)
    (upgraded / "METADATA").write_text("Metadata-Version: 2.1\nName: pyFFTW\nVersion: 99.0\n")
    monkeypatch.setenv("PYTHONPATH", str(upgraded.parent))
    output, jobs = snakemake(run[0], run[1], "--dry-run")
    users = {
        script.stem
        for script in (ROOT / "scripts").glob("*.py")
        if "pyfftw" in digests.packages(*(digests.imported(script) - {"errors"}))
    } & set(finished[3])
    assert rules_with_changed_params(output) <= users <= set(jobs)
    assert "accumulate" in users and "train_backbone" not in users


def test_touching_a_stimulus_prepares_its_block_and_a_result_nothing(run):
    folder, config, _ = run
    for path in (folder / "results").rglob("*.csv"):
        os.utime(path)
    assert "Nothing to be done" in snakemake(folder, config, "--dry-run")[0]
    stimulus = Path(config["datasets"]["made"]["path"]) / "stimuli" / FIRST
    times = stimulus.stat().st_atime_ns, stimulus.stat().st_mtime_ns
    os.utime(stimulus)
    try:
        jobs = snakemake(folder, config, "--dry-run")[1]
    finally:
        os.utime(stimulus, ns=times)
    assert jobs["prepare_dataset"] == 1


def test_an_edited_stage_script_reruns_its_rule_and_a_touched_one_nothing(run, tmp_path):
    code = tmp_path / "code"
    shutil.copytree(ROOT, code, ignore=shutil.ignore_patterns(".git", ".venv", "results", ".snak*"))
    for path in code.rglob("*"):  # as in a fresh checkout, everything is younger than the results
        os.utime(path)
    output, _ = snakemake(run[0], run[1], "--dry-run", root=code)
    assert "Nothing to be done" in output
    script = code / "scripts" / "report.py"
    script.write_text(script.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    assert snakemake(run[0], run[1], "--dry-run", root=code)[1] == {"report": 1}


def make_run(folder):
    """The one command that starts a run and goes on with it, `make run`, in this environment."""
    done = ["make", "--old-file", ".venv/run.stamp", "run", f"BIN={Path(sys.executable).parent}"]
    return [*done, f"OUT={folder}", f"CONFIG={folder / 'settings.yaml'}", "CORES=2"]


def start(folder, config):
    """Start the workflow in a process group of its own."""
    (folder / "settings.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with open(folder / "make.log", "a", encoding="utf-8") as log:
        return subprocess.Popen(
            make_run(folder), cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )


def wait_for_log(folder, process, stage, text=""):
    """Wait until a stage is at work and has said something."""
    log = folder / "results" / "logs" / stage
    while True:
        logs = [path for path in (log.with_suffix(".log"), *log.rglob("*.log")) if path.exists()]
        if any(text in path.read_text(encoding="utf-8") for path in logs):
            return
        assert process.poll() is None, f"ended before {stage}"
        time.sleep(0.02)


def kill_during(folder, config, stage):
    """Start the workflow; SIGKILL it and all its children as soon as a stage is at work."""
    process = start(folder, config)
    wait_for_log(folder, process, stage)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def check_whole(folder):
    """Every file under its own name can be read: HDF5 with its schema, JSON, CSV with its rows."""
    for path in (folder / "results").rglob("*"):
        if path.suffix == ".h5" and not path.name.startswith("."):
            with h5py.File(path) as file:
                assert "schema" in file.attrs
        elif path.suffix == ".csv":
            assert path.read_text().endswith("\n") and len(path.read_text().splitlines()) > 1


@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
def test_a_run_killed_again_and_again_ends_in_the_same_tables(finished, tmp_path):
    folder, config, _, _ = finished
    stages = ("train_backbone", "dump_activations", "accumulate", "report")
    for stage in stages:
        kill_during(tmp_path, config, stage)
        check_whole(tmp_path)
    assert start(tmp_path, config).wait() == 0
    said = (tmp_path / "make.log").read_text(encoding="utf-8")
    assert said.count("removed the lock of a run that was killed") == len(stages)
    for name in ("summary.csv", "shares.csv", "summary.validation.csv"):
        killed, whole = (where / "results" / name for where in (tmp_path, folder))
        assert killed.read_bytes() == whole.read_bytes()
    assert "Nothing to be done" in snakemake(tmp_path, config)[0]


@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
def test_a_run_asked_to_end_during_training_keeps_a_checkpoint_and_no_lock(run, tmp_path):
    folder, config, _ = run
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(folder, undisturbed, copy_function=shutil.copy2, symlinks=True)
    config["training"] |= {"epochs": 30, "patience": 30}
    weights = folder / "results" / "weights" / "cmrnet.safetensors"
    snakemake(undisturbed, config, str(weights.relative_to(folder)))
    right = (undisturbed / weights.relative_to(folder)).read_bytes()
    (folder / "results" / "logs" / "train_backbone" / "cmrnet.log").unlink()
    process = start(folder, config)
    wait_for_log(folder, process, "train_backbone", "epoch 3/")
    os.killpg(process.pid, signal.SIGTERM)  # as schedulers and a machine that shuts down do
    assert process.wait() != 0
    log = folder / "results" / "logs" / "train_backbone" / "cmrnet.log"
    locks = folder / ".snakemake" / "locks"
    for _ in range(3000):  # make may end before what it has started
        if "asked to stop" in log.read_text(encoding="utf-8") and not list(locks.glob("*.lock")):
            break
        time.sleep(0.1)
    assert "asked to stop" in log.read_text(encoding="utf-8") and not weights.exists()
    assert not list(locks.glob("*.lock"))
    snakemake(folder, config, str(weights.relative_to(folder)))
    assert "going on from the checkpoint" in log.read_text(encoding="utf-8")
    assert weights.read_bytes() == right


@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
def test_a_living_run_keeps_its_lock(tmp_path):
    make_dataset(tmp_path / "data")
    process = start(tmp_path, tiny_config(tmp_path / "data"))
    try:
        while not list((tmp_path / ".snakemake" / "locks").glob("*.lock")):
            assert process.poll() is None
            time.sleep(0.02)
        unlock = [sys.executable, str(ROOT / "scripts" / "unlock.py"), str(tmp_path)]
        done = subprocess.run(unlock, capture_output=True, text=True)
        assert done.returncode == 1 and "in use by process" in done.stderr
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_only(folder):
    """Command before a command that sees a folder read-only; None where this cannot be had."""
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    options = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    prefix = ["unshare", *options, "sh", "-c", script, str(folder)]
    try:
        tried = subprocess.run([*prefix, "touch", str(folder / "a")], capture_output=True)
        works = subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    except OSError:
        return None
    return prefix if works and tried.returncode else None


@pytest.fixture(scope="module")
def elsewhere(finished, tmp_path_factory):
    """
    A second run with the same seed: from a copy of the checkout, read-only where that can be had,
    and where there is another file system, on it. Its folder, what is special, what changed.
    """
    base = tmp_path_factory.mktemp("elsewhere")
    code, home = base / "code", base / "home"
    shutil.copytree(ROOT, code, ignore=shutil.ignore_patterns(".git", ".venv", "results", ".snak*"))
    home.mkdir()
    other = Path("/dev/shm")
    free = other.is_dir() and os.access(other, os.W_OK) and shutil.disk_usage(other).free > 5e8
    apart = free and other.stat().st_dev != base.stat().st_dev
    folder = Path(tempfile.mkdtemp(dir=other if apart else base))
    prefix = read_only(code)
    before = {path: path.stat().st_mtime_ns for path in [code, *code.rglob("*")]}
    variables = {"HOME": str(home), "XDG_CACHE_HOME": str(folder / "cache")}
    try:
        arguments = [folder, finished[1], "results/summary.csv"]
        snakemake(*arguments, root=code, prefix=prefix or (), **variables)
        changed = {path: path.stat().st_mtime_ns for path in [code, *code.rglob("*")]} != before
        left = [p for p in home.rglob("*") if "gaborscope" in str(p.relative_to(home))]
        yield folder, prefix is not None, apart, changed, left
    finally:
        shutil.rmtree(folder)


def test_nothing_is_written_outside_of_the_directory_and_tmpdir(elsewhere):
    assert not elsewhere[3] and not elsewhere[4]


def test_the_checkout_may_be_read_only(elsewhere):
    if not elsewhere[1]:
        pytest.skip("no folder can be made read-only here (unshare, mount)")
    assert (elsewhere[0] / "results" / "summary.csv").exists()


def test_results_may_lie_on_another_file_system(elsewhere):
    if not elsewhere[2]:
        pytest.skip("no other file system to write to here (/dev/shm)")
    assert (elsewhere[0] / "results" / "summary.csv").stat().st_dev != ROOT.stat().st_dev


def asked_for(tmp_path, n_stimuli, target, *arguments, epochs=2):
    config = tiny_config("")
    config["training"]["epochs"] = epochs
    config["datasets"]["made"] = {
        "type": "demo", "n_stimuli": n_stimuli, "height": 96, "width": 96, "n_observers": 2,
        "fixations_per_observer": 3, "seed": 1, "px_per_degree": 8,
    }  # fmt: skip
    output, _ = snakemake(tmp_path, config, target, "--dry-run", *arguments)
    job = output[output.rindex(f"output: {target}") :]
    return {k: int(v) for k, v in re.findall(r"(runtime|mem_mb|disk_mb)=(\d+)", job[:2000])}


def test_what_jobs_ask_for_grows_with_the_stimuli(tmp_path):
    target = "results/weights/cmrnet.safetensors"
    few, many = (asked_for(tmp_path, n, target) for n in (300, 30_000))
    assert many["runtime"] > 10 * few["runtime"] and many["mem_mb"] > 2 * few["mem_mb"]
    target = "results/saliency/cmrnet/made/03.h5"
    few, many = (asked_for(tmp_path, n, target) for n in (300, 30_000))
    assert many["disk_mb"] > 10 * few["disk_mb"] and many["mem_mb"] == few["mem_mb"]


@pytest.mark.parametrize("option", ["--profile", "--workflow-profile"])
def test_no_job_asks_for_more_than_the_cluster_profile_allows(tmp_path, option):
    profile = ROOT / "profiles" / "slurm"
    limits = yaml.safe_load((profile / "config.yaml").read_text(encoding="utf-8"))["resources"]
    target = "results/weights/cmrnet.safetensors"
    modest = asked_for(tmp_path, 300, target, option, str(profile), epochs=10)
    greedy = asked_for(tmp_path, 300, target, option, str(profile), epochs=10_000)
    assert modest["runtime"] < limits["runtime"] == greedy["runtime"]
    assert modest["mem_mb"] < limits["mem_mb"]


def test_the_picture_in_the_readme_shows_every_rule(finished):
    picture = (ROOT / "docs" / "figures" / "rulegraph.svg").read_text(encoding="utf-8")
    drawn = set(re.findall(r"<text[^>]*>(\w+)</text>", picture)) - {"all"}
    faithful = {
        "measure_means", "substitute", "rank_notches", "intervene", "summarise_faithfulness"
    }  # fmt: skip
    assert drawn == set(finished[3]) | faithful


def test_the_parts_of_the_explained_bits_add_up_to_the_deep_model(finished):
    table = pd.read_csv(finished[0] / "results" / "bits" / "cmrnet" / "made" / "direct.csv")
    bits = table.set_index("part")["bits"]
    assert np.isclose(bits.drop(["explained", "deep", "fused"]).sum(), bits["deep"], atol=1e-5)
    scores = pd.read_csv(finished[0] / "results/scores/exact/cmrnet/made.csv")
    assert np.isclose(bits["deep"], scores["ig"].mean(), atol=1e-5)


def test_every_predictor_that_is_no_explanation_has_a_spectrum(finished):
    table = pd.read_csv(finished[0] / "results" / "spectra.csv")
    assert set(table["predictor"]) == {"cmrnet", "centre_bias", "gold_standard"}
    assert table["value"].notna().all()


def test_banks_fitted_to_fixations_have_a_spectrum_too(run):
    folder, config, _ = run
    banks = ["loggabor_fixations", "loggabor_equal"]
    config["baselines"]["predictors"] = banks
    config["spectra"] = {"predictors": ["cmrnet", *banks]}
    snakemake(folder, config, "results/spectra.csv")
    table = pd.read_csv(folder / "results" / "spectra.csv")
    assert set(table["predictor"]) == {"cmrnet", *banks}
    equal = table[table["predictor"] == "loggabor_equal"]["value"].to_numpy()
    other = table[table["predictor"] == "loggabor_fixations"]["value"].to_numpy()
    assert np.isfinite(equal).all() and not np.allclose(equal, other)


def test_a_report_of_the_run_can_be_made(run):
    folder, config, _ = run
    snakemake(folder, config, "--report", "run.html")
    assert "cmrnet" in (folder / "run.html").read_text(encoding="utf-8")


def test_cascades_are_fitted_refined_and_reported_beside_the_direct_explanation(run):
    folder, config, _ = run
    config["explanations"]["cascade"] = {
        "mode": "cascade",
        "budget": 4,
        "image": {"bank": {"n_scales": 2, "n_orientations": 2}},
        "edge": {"n_scales": 1, "n_orientations": 2},
    }
    config["explanations"]["refined"] = {"mode": "refined", "epochs": 1}
    _, jobs = snakemake(folder, config)
    assert not {"train_backbone", "fit_filters", "dump_activations", "fit_fusion"} & set(jobs)
    assert (jobs["fit_cascade"], jobs["refine_cascade"], jobs["evaluate_cascade"]) == (1, 1, 2)
    table = pd.read_csv(
        folder / "results" / "explained_variance" / "cmrnet" / "made" / "refined.csv"
    )
    assert set(table["layer"]) > {"stem", "cmr1_s1", "logits"}
    assert table["largest_support"].max() == 4
    model = ExplainedModel.load(folder / "results" / "explained" / "cmrnet" / "made" / "refined.h5")
    path = folder / "results" / "saliency" / "cmrnet-refined" / "made"
    stored = next(path.glob("*.h5"))
    block = read_data(folder / "results" / "data" / "made" / stored.name)
    density = read_density(stored, 0)
    np.testing.assert_allclose(model.predict(block.image(0)), density, rtol=1e-3)
    assert "explanation refined" in (folder / "results" / "report" / "index.html").read_text(
        "utf-8"
    )
    config["explanations"]["refined"]["learning_rate"] = 0.02
    _, jobs = snakemake(folder, config, "--dry-run")
    assert jobs["refine_cascade"] == 1 and "fit_cascade" not in jobs
    # an explanation of no model is left out of tables and report; nothing else is made again
    del config["explanations"]["refined"]["learning_rate"]
    config["explanations"]["direct"]["models"] = []
    _, jobs = snakemake(folder, config)
    assert set(jobs) <= {"summarise", "compare", "judge", "report", "all"}
    summary = pd.read_csv(folder / "results" / "summary.csv")
    assert set(summary["predictor"]) >= {"cmrnet", "cmrnet-cascade", "cmrnet-refined"}
    assert "cmrnet-direct" not in set(summary["predictor"])


def test_predictors_are_compared_in_pairs_normalised_and_ranked(finished):
    results = finished[0] / "results"
    summary = pd.read_csv(results / "summary.csv")
    predictors = set(summary["predictor"])
    for name in ("normalised", "ranks"):
        table = pd.read_csv(results / f"{name}.csv")
        assert set(table["predictor"]) == predictors
        assert set(table["preset"]) == set(summary["preset"])
    pairs = pd.read_csv(results / "differences.csv").groupby(["preset", "metric"])
    assert (pairs.size() == len(predictors) * (len(predictors) - 1) // 2).all()
    html = (results / "report" / "index.html").read_text(encoding="utf-8")
    captions = re.findall(r"<caption>(.*?)</caption>", html, re.S)
    scored = [caption for caption in captions if "data set" in caption.lower()]
    assert sum("Preset" in caption for caption in scored) >= 4 * len(set(summary["preset"]))


def test_baselines_and_maps_are_scored_alone_raw_and_calibrated(tmp_path):
    make_dataset(tmp_path / "data")
    config = tiny_config(tmp_path / "data")
    (tmp_path / "maps").mkdir()
    for path in (tmp_path / "data" / "stimuli").iterdir():
        image = np.asarray(Image.open(path).convert("RGB")).astype(float)
        np.save(tmp_path / "maps" / f"{path.stem}.npy", image[..., 0] - image[..., 1:].mean(axis=2))
    theirs = {"paths": {"made": str(tmp_path / "maps")}, "kind": "map"}
    config.update(models=[], maps={"theirs": theirs}, presets=["exact"])
    config["baselines"]["predictors"] = ["uniform"]
    config["analyses"].append("calibration")
    snakemake(tmp_path, config)
    results = tmp_path / "results"
    raw, calibrated = (
        pd.read_csv(results / name) for name in ("summary.csv", "summary.calibrated.csv")
    )
    nss = raw[raw["metric"] == "nss"].set_index("predictor")["mean"]
    assert list(nss.index) == ["centre_bias", "gold_standard", "uniform", "theirs"]
    assert nss["uniform"] == 0
    assert nss["theirs"] > nss["centre_bias"]  # everybody looks at the red square
    temperature = calibrated.drop_duplicates("predictor").set_index("predictor")["temperature"]
    assert temperature["uniform"] == 1
    assert temperature["theirs"] != 1
    assert "Baselines alone" in (results / "report" / "index.html").read_text(encoding="utf-8")
    # a second data set: scored as well, from its own splits, nothing of the first made anew
    config["datasets"]["other"] = dict(config["datasets"]["made"])
    config["evaluate_on"] = ["made", "other"]
    _, jobs = snakemake(tmp_path, config, "--dry-run")
    assert jobs["score"] == 3  # theirs has no maps for it


def test_equal_seeds_give_equal_summaries(finished, elsewhere):
    first, second = (where / "results" / "summary.csv" for where in (finished[0], elsewhere[0]))
    assert first.read_bytes() == second.read_bytes()


def edit_csv(data, edit):
    path = data / "fixations.csv"
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")


def drop_split(data):
    """Leave the stimuli of the fit split alone."""
    for name in made_names()["test"] + made_names()["validation"]:
        if (data / "stimuli" / name).exists():
            remove_stimulus(data, name)


FIRST = made_names()["fit"][0]
BAD_INPUT = {
    "unknown key": (lambda d, c: c.update(n_blok=10), r"unknown key 'n_blok'.*did you mean"),
    "unknown type": (lambda d, c: c["datasets"]["made"].update(type="foldr"), r"foldr.*folder"),
    "missing column": (
        lambda d, c: edit_csv(d, lambda t: t.replace("subject", "observer", 1)),
        r"fixations\.csv.*subject",
    ),
    "unknown stimulus": (
        lambda d, c: edit_csv(d, lambda t: t + "nobody.png,s1,3,4\n"),
        r"fixations\.csv.*nobody\.png",
    ),
    "outside": (
        lambda d, c: edit_csv(d, lambda t: t + f"{FIRST},s1,5000,4\n"),
        r"fixations\.csv.*5000",
    ),
    "nan": (lambda d, c: edit_csv(d, lambda t: t + f"{FIRST},s1,nan,4\n"), r"fixations\.csv.*nan"),
    "truncated image": (
        lambda d, c: (d / "stimuli" / FIRST).write_bytes(
            (d / "stimuli" / FIRST).read_bytes()[:200]
        ),
        rf"{FIRST}",
    ),
    "no stimuli": (lambda d, c: shutil.rmtree(d / "stimuli") or (d / "stimuli").mkdir(), "stimuli"),
    "empty split": (lambda d, c: drop_split(d), r"made.*(validation|test)"),
}


@pytest.mark.parametrize("fault", BAD_INPUT)
def test_bad_input_stops_in_one_sentence(tmp_path, fault):
    make_dataset(tmp_path / "data")
    config = tiny_config(tmp_path / "data")
    spoil, expected = BAD_INPUT[fault]
    spoil(tmp_path / "data", config)
    used = [name for split in WANTED for name in made_names()[split][: WANTED[split]]]
    blocks = sorted({catalogue.block_name(catalogue.block_of(name, 10), 10) for name in used})
    wanted = [f"results/data/made/{block}.h5" for block in blocks]
    output, _ = snakemake(tmp_path, config, "--keep-going", *wanted, check=False)
    sentences = [line for line in output.splitlines() if re.search(expected, line)]
    assert sentences, output[-3000:]
    assert "Traceback" not in output
    assert not list((tmp_path / "results").rglob("*.tmp"))
