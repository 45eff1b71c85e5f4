"""
Explain networks whose filters are known, and see whether they are named.

    python benchmarks/planted.py --work FOLDER [--networks NAME ...] [--stimuli N] [--cores N]
                                 [--photographs FOLDER] [--seed N] [--mechanisms NAME ...]
    python benchmarks/planted.py --work FOLDER --variance

Each network of tests/planted/networks.py goes through the whole workflow: fixations are drawn from
its own density on photographs (of OSIE, where ../shared/data/osie is there, else generated ones),
and its maps carry noise of 10 % of their variance. The mechanisms are those of config.yaml, if none
are given. Writes tables of record to FOLDER/results/record after each network, and goes on with
what is there. `python scripts/render_pages.py --record FOLDER planted` makes the page
docs/results/planted.md of them. A row of planted.csv is a layer:

recall, precision   of the names of all maps. A name is a hit if its refined filter lies within half
                    a step of the bank in log wavelength and orientation of a planted one, with the
                    right kind and colour.
.._on_grid          the same of the names as they stand on the bank, before they are refined. A
                    filter halfway between two of the bank may get the name of either.
explained_variance  of the validation split, of all regressors; of the names alone `named_on_grid`
                    and `refined`; of all regressors of a `wrong_bank`, windowed noise of the same
                    scales.
fidelity            1 - KL(deep || x) / KL(deep || centre bias) of the explanation, `fidelity_null`
                    of the bank fitted to the network's density with no layer between.
.._wrong_bank       the verdict's tests against the wrong bank: `ig_` by people, `kl_` by the
                    network's map.
unplanted           share in explained variance of scales, orientations, colours and kinds that were
                    not planted (by refined filters, beyond half a step), the largest of the four;
                    `among_all` the same of Shapley values among all regressors, which the report no
                    longer shows.

names.csv has recall and precision of all layers together, and how far the hits are off.

--variance writes variance.csv: of networks without noise whose maps are of a mechanism or of pairs,
the explained variance with regressors of that mechanism or readout, with none, and of a wrong bank.
"""

import argparse
import dataclasses
import datetime
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image
from scipy.optimize import linear_sum_assignment
from timing import commit, processor

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "planted")]

import networks  # noqa: E402

from gaborscope.data import catalogue, generated  # noqa: E402
from gaborscope.fitting import shapley  # noqa: E402
from gaborscope.fitting.files import read_filters, read_sums  # noqa: E402
from gaborscope.fitting.statistics import combine  # noqa: E402
from gaborscope.stimuli import geometry  # noqa: E402
from gaborscope.store import tables  # noqa: E402
from gaborscope.workflow.settings import load as load_config  # noqa: E402

SIZE = (192, 256)  # height and width of a stimulus in px
INPUT = {"height": 96, "width": 128, "multiple": 8, "range": 1, "mean": [0, 0, 0],
         "std": [1, 1, 1], "output": "logits"}  # fmt: skip
# Two blocks to fit, for the halves, one to validate, one to test: few jobs.
BLOCKS = {0: 0.3, 1: 0.3, 7: 0.15, 8: 0.25}
OBSERVERS, FIXATIONS = 10, 8
EXPLAINED = "photographs/direct"
GROUPINGS = ("scale", "orientation", "colour", "kind")
# Kinds of mechanisms that are of one filter, and the kind of filter that they count as.
COUNTED_AS = {
    "locally_normalised": "normalised", "oriented_surround": "amplitude",
    "rectified_oriented_surround": "amplitude", "half_even": "even", "half_odd": "odd",
    "surround": "amplitude", "rectified_surround": "amplitude",
}  # fmt: skip
# By what the maps are of: the networks, and the settings of an explanation that has it.
LOCAL = {"mechanisms": ["local_normalisation"]}
SURROUND = {"mechanisms": ["centre_surround", "centre_surround_oriented"]}
PAIRS = {"readout": "pairs", "start": "direct"}
VARIANCE = {
    "local": LOCAL, "local4": LOCAL, "heeger": LOCAL, "heeger4": LOCAL,
    "surround": SURROUND, "surround4": SURROUND, "rectified": SURROUND, "rectified4": SURROUND,
    "product": PAIRS, "product4": PAIRS, "maximum": PAIRS, "maximum4": PAIRS,
}  # fmt: skip


def names_in_blocks(n):
    """Names of stimuli, so many in each block."""
    left, names = {block: round(share * n) for block, share in BLOCKS.items()}, []
    number = 0
    while any(left.values()):
        name = f"photo_{number:05d}.png"
        block, number = catalogue.block_of(name, 10), number + 1
        if left.get(block):
            left[block] -= 1
            names.append(name)
    return names


def write_photographs(folder, source, n):
    """Write the stimuli, scaled to one size."""
    folder.mkdir(parents=True)
    names = names_in_blocks(n)
    if source is None:
        settings = {**load_config()["datasets"]["demo"], "height": SIZE[0], "width": SIZE[1]}
        kinds = [kind for kind in generated.KINDS if "search" not in kind]
        images = (generated.generate(f"{kinds[i % len(kinds)]}_{i:04d}", settings).image
                  for i in range(len(names)))  # fmt: skip
    else:
        paths = [p for p in sorted(source.iterdir()) if p.suffix.lower() in (".jpg", ".png")]
        chosen = np.linspace(0, len(paths) - 1, len(names)).round().astype(int)
        images = (np.asarray(Image.open(paths[i]).convert("RGB").resize(SIZE[::-1], Image.BOX))
                  for i in chosen)  # fmt: skip
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image).save(folder / name)


def draw_fixations(network, folder, table, seed):
    """Calibrate a network on the photographs; write fixations drawn from its own density."""
    paths = sorted(folder.iterdir())
    box = geometry.Box(INPUT["height"], INPUT["width"])
    images = [np.asarray(Image.open(path)) for path in paths]
    contents = [geometry.content(image, geometry.place(SIZE, box)) for image in images]
    x = torch.as_tensor(np.stack(contents)).permute(0, 3, 1, 2).float() / 255
    network.calibrate(x[: len(x) // 2 : 2])
    rng, rows = np.random.default_rng(seed), []
    with torch.no_grad():
        for path, one in zip(paths, x, strict=True):
            density = torch.softmax(network(one[None]).flatten(), 0).double().numpy()
            cells = rng.choice(density.size, OBSERVERS * FIXATIONS, p=density / density.sum())
            y, x_px = np.divmod(cells, INPUT["width"])
            scale = SIZE[0] / INPUT["height"]
            points = (np.stack([x_px, y]) + rng.uniform(size=(2, len(cells)))) * scale - 0.5
            points = np.clip(points, 0, np.array(SIZE[::-1])[:, None] - 1)
            rows += [(path.name, f"o{i % OBSERVERS}", *point) for i, point in enumerate(points.T)]
    frame = pd.DataFrame(rows, columns=["stimulus", "subject", "x", "y"])
    frame.to_csv(table, index=False, float_format="%.2f")


def prepare(name, network, folder, photographs, arguments):
    """Write fixations, weights and config of one network."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "stimuli").symlink_to(photographs)
    draw_fixations(network, photographs, folder / "data" / "fixations.csv", 1)
    torch.save(network.state_dict(), folder / "weights.pth")
    options = {"name": name, "noise": network.recipe.noise}
    options |= {} if arguments.seed is None else {"seed": arguments.seed}
    mechanisms = {} if arguments.mechanisms is None else {"mechanisms": arguments.mechanisms}
    explanations = {"direct": mechanisms}
    if arguments.variance:
        explanations = {
            "direct": {"mechanisms": []}, "with": {"like": "direct", **VARIANCE[name]},
        }  # fmt: skip
    config = {
        "models": {"planted": {
            "factory": "tests/planted/networks.py:planted", "options": options,
            "weights": str(folder / "weights.pth"), "input": INPUT,
            "layers": {layer: layer for layer in network.layers},
        }},
        "fit_on": "photographs", "evaluate_on": ["photographs"], "analyses": [],
        "presets": ["exact"], "baselines": {"predictors": []},
        "explanations": explanations,
        "nulls": {"explanations": ["direct"], "banks": {"noise": 1}},
        "datasets": {
            "photographs": {"type": "folder", "path": str(folder / "data"), "px_per_degree": 16}
        },
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def run(name, folder, arguments):
    """Run the workflow on one network, or go on with it."""
    names = ["direct", "direct_noise1", *["with"] * arguments.variance]
    wanted = [f"results/explained_variance/planted/photographs/{name}.csv" for name in names]
    if not arguments.variance:
        wanted.append(f"results/identities/planted/{EXPLAINED}.csv")
        wanted += ["results/fidelity.csv", "results/verdicts.csv"]
    cores = str(arguments.cores)
    command = [sys.executable, "-m", "snakemake", *wanted, "--cores", cores, "--directory",
               str(folder), "--snakefile", str(ROOT / "Snakefile"), "--configfile",
               str(folder / "config.yaml"), "--nolock", "--rerun-incomplete",
               "--quiet", "all"]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {(done.stdout + done.stderr)[-3000:]}")


def is_hit(row, planted, scale_px):
    """Whether a name is of a planted filter: by its place on the grid, and by its refined one."""
    if (
        COUNTED_AS.get(row.kind, row.kind) != planted.kind
        or row.colour != networks.CHANNELS[planted.colour]
    ):
        return False, False
    scales, orientations = on_grid(planted)
    octaves, degrees = off(row, planted, scale_px)
    near = octaves <= 0.5 and degrees <= 90 / networks.N_ORIENTATIONS
    return label_of(row, "scale", scale_px) in scales and (
        label_of(row, "orientation", scale_px) in orientations
    ), near


def off(row, planted, scale_px):
    """Octaves and degrees between a refined filter and a planted one."""
    places = row.refined_wavelength_px, row.refined_orientation_deg
    if math.isnan(places[0]):  # not refined: a mechanism
        places = row.wavelength_px, row.orientation_deg
    wavelength, orientation = places[0] / scale_px, math.radians(places[1])
    refined = dataclasses.replace(planted, wavelength=wavelength, orientation=orientation)
    return networks.distance(refined, planted)


def is_planted(row, grouping, planted, scale_px):
    """Whether a name shares a property with one of the filters of a map."""
    if grouping in ("scale", "orientation"):
        near = (0.5, 90 / networks.N_ORIENTATIONS)
        of = grouping == "orientation"
        return any(off(row, one, scale_px)[of] <= near[of] for one in planted)
    return label_of(row, grouping, scale_px) in labels_of(planted)[grouping]


def label_of(row, grouping, scale_px):
    """Label of a name in a grouping of regressors."""
    if grouping == "scale" and row.wavelength_px > 0:
        return str(round(math.log2(row.wavelength_px / scale_px / networks.WAVELENGTHS[0])))
    if grouping == "orientation" and row.orientation_deg >= 0:
        return str(round(row.orientation_deg / 180 * networks.N_ORIENTATIONS))
    if grouping == "colour" and isinstance(row.colour, str):
        return str(networks.CHANNELS.index(row.colour))
    return COUNTED_AS.get(row.kind, row.kind) if grouping == "kind" else "none"


def on_grid(planted):
    """Scales and orientations of the bank within half a step of a filter."""
    octave = math.log2(planted.wavelength / networks.WAVELENGTHS[0])
    turn = planted.orientation / math.pi * networks.N_ORIENTATIONS
    half = networks.N_ORIENTATIONS / 2
    away = [abs((turn - o + half) % (2 * half) - half) for o in range(networks.N_ORIENTATIONS)]
    scales = {str(s) for s in range(len(networks.WAVELENGTHS)) if abs(octave - s) <= 0.5 + 1e-6}
    return scales, {str(o) for o, distance in enumerate(away) if distance <= 0.5 + 1e-6}


def labels_of(filters):
    """By grouping, the labels that were planted."""
    grid = [on_grid(planted) for planted in filters]
    return {
        "scale": set().union(*(scales for scales, _ in grid)),
        "orientation": set().union(*(orientations for _, orientations in grid)),
        "colour": {str(planted.colour) for planted in filters},
        "kind": {planted.kind for planted in filters},
    }


def among_all(folder, layer):
    """By grouping, labels and Shapley shares (group, map) of groups of all regressors."""
    filters = read_filters(folder / f"results/filters/planted/photographs/direct/{layer}.h5")
    blocks = [folder / f"results/statistics/planted/photographs/direct/0{b}.h5" for b in (0, 1)]
    statistics = combine(read_sums(path, f"{layer}/{filters['candidate']}") for path in blocks)
    shares = {}
    for grouping in GROUPINGS:
        values = filters["table"][grouping]
        labels = list(dict.fromkeys(values.tolist()))
        groups = [np.flatnonzero(values == label) for label in labels]
        found, _ = shapley.map_shares(statistics, filters["penalty"], groups)
        names = ["none" if label == -1 else str(label) for label in labels]
        shares[grouping] = names, np.maximum(found, 0)
    return shares


def judge(folder, network):
    """Compare what a run named with what was planted: one row per layer, and the errors of hits."""
    results = folder / "results"
    table = pd.read_csv(results / f"identities/planted/{EXPLAINED}.csv")
    explained, by_noise = (
        pd.read_csv(results / f"explained_variance/planted/{EXPLAINED}{ending}.csv")
        .query("split == 'validation'").set_index("layer")["explained_variance"]
        for ending in ("", "_noise1")
    )  # fmt: skip
    scale_px, rows, errors = SIZE[1] / INPUT["width"], [], []
    for layer, truth in network.truth().items():
        counts = {"planted": 0, "named": 0, "hits": 0, "near": 0}
        grid, refined, all_shares = [], [], among_all(folder, layer)
        unplanted = {key: {g: [] for g in GROUPINGS} for key in ("named", "all")}
        for number, planted in enumerate(truth):
            own = table[(table["layer"] == layer) & (table["map"] == number) & table["named"]]
            found = list(own.itertuples())
            hits = np.zeros((2, len(found), len(planted)), int)
            for i, row in enumerate(found):
                for j, one in enumerate(planted):
                    hits[:, i, j] = is_hit(row, one, scale_px)
            pairs = [linear_sum_assignment(-hit) for hit in hits]
            counts["planted"] += len(planted)
            counts["named"] += len(found)
            counts["hits"] += hits[0][pairs[0]].sum()
            counts["near"] += hits[1][pairs[1]].sum()
            errors += [off(found[i], planted[j], scale_px)
                       for i, j in zip(*pairs[1], strict=True) if hits[1, i, j]]  # fmt: skip
            grid.append(found[-1].explained_variance if found else 0)
            refined.append(found[-1].refined_explained_variance if found else 0)
            labels = labels_of(planted)
            for grouping in GROUPINGS:
                out = sum(row.share for row in found
                          if not is_planted(row, grouping, planted, scale_px))  # fmt: skip
                whole = max(sum(row.share for row in found), 1e-9)
                unplanted["named"][grouping].append(out / whole)
                names, values = all_shares[grouping]
                out = sum(v[number] for n, v in zip(names, values, strict=True)
                          if n not in labels[grouping])  # fmt: skip
                unplanted["all"][grouping].append(out / max(values[:, number].sum(), 1e-9))
        most = {key: max(np.mean(v) for v in found.values()) for key, found in unplanted.items()}
        named = max(counts["named"], 1)
        rows.append({
            "layer": layer, "maps": len(truth), **counts,
            "recall": counts["near"] / counts["planted"], "precision": counts["near"] / named,
            "recall_on_grid": counts["hits"] / counts["planted"],
            "precision_on_grid": counts["hits"] / named,
            "explained_variance": explained[layer], "named_on_grid": np.mean(grid),
            "refined": np.mean(refined), "wrong_bank": by_noise[layer],
            "unplanted": most["named"], "among_all": most["all"],
        })  # fmt: skip
    return rows, errors


def variance_of(folder, name):
    """Explained variance of the validation split, one row for each layer."""
    by_name = {}
    for column, explanation in (
        ("explained_variance", "with"), ("with_none", "direct"), ("wrong_bank", "direct_noise1"),
    ):  # fmt: skip
        path = folder / f"results/explained_variance/planted/photographs/{explanation}.csv"
        table = pd.read_csv(path).query("split == 'validation'").set_index("layer")
        by_name[column] = table["explained_variance"]
    brought = VARIANCE[name].get("readout") or " ".join(VARIANCE[name]["mechanisms"])
    return [
        {"layer": layer, "with": brought, **{key: of[layer] for key, of in by_name.items()}}
        for layer in networks.planted(name).truth()
    ]


def fidelity_of(folder):
    """Fidelity of the explanation and of the null without layers, and the test of wrong banks."""
    results = folder / "results"
    table = pd.read_csv(results / "fidelity.csv").query("measure == 'fidelity'")
    means = table.set_index("predictor")["mean"]
    verdicts = pd.read_csv(results / "verdicts.csv", dtype=str)
    tests = verdicts.query("explanation == 'direct' and test == 'above_noise_banks'")
    passed = tests.set_index("metric")["passed"]
    return {
        "fidelity": means["planted-direct"], "fidelity_null": means["planted-loggabor_deep"],
        "ig_wrong_bank": passed["ig"] == "true", "kl_wrong_bank": passed["kl_deep"] == "true",
    }  # fmt: skip


def made(name, work, photographs, arguments):
    """Return the folder of the finished run of a network."""
    folder = work / name
    if not (folder / "config.yaml").exists():
        prepare(name, planted(name, arguments), folder, photographs, arguments)
    run(name, folder, arguments)
    return folder


def planted(name, arguments):
    """Return a network, without noise for --variance: noise is what nothing can predict."""
    return networks.planted(name, arguments.seed, 0 if arguments.variance else None)


def write_names(record, rows, errors):
    """Write recall, precision and errors of all layers together."""
    sums = {key: sum(row[key] for row in rows) for key in ("planted", "named", "near", "hits")}
    values = {
        "filters": sums["planted"],
        "recall": sums["near"] / sums["planted"],
        "precision": sums["near"] / max(sums["named"], 1),
        "recall_on_grid": sums["hits"] / sums["planted"],
        "precision_on_grid": sums["hits"] / max(sums["named"], 1),
    }
    for name, found in zip(("octaves", "degrees"), np.array(errors).T, strict=False):
        values[f"{name}_median"], values[f"{name}_90th"] = np.quantile(found, (0.5, 0.9))
    tables.write_csv(
        record / "names.csv", pd.DataFrame(values.items(), columns=["quantity", "mean"])
    )


def describe(record, arguments, origin):
    """Write where the tables come from: commit, date, processor, photographs."""
    given = {key: value for key, value in vars(arguments).items() if key != "work"}
    tables.write_json(record / "run.json", {
        "commits": [commit()], "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": processor(), "photographs": origin, "compared": [], "roles": {},
        "families": {},
        "config": {**{key: str(v) if isinstance(v, Path) else v for key, v in given.items()},
                   "mechanisms": arguments.mechanisms or load_config()["regressors"]["mechanisms"]},
    }, sort_keys=True)  # fmt: skip


def main():
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--work", type=Path, required=True, help="of runs and tables of record")
    parser.add_argument("--networks", nargs="+")
    parser.add_argument("--stimuli", type=int, default=140)
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--seed", type=int, help="draw other networks of the same recipes")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--mechanisms", nargs="*", help="of direct, by default the config's")
    parser.add_argument("--variance", action="store_true", help="explained variance alone")
    arguments = parser.parse_args()
    source, shared = arguments.photographs, ROOT.parent / "shared/data/osie/stimuli"
    if source is None and shared.is_dir():
        source = shared
    work = arguments.work.resolve()
    record, photographs = work / "results" / "record", work / "photographs"
    record.mkdir(parents=True, exist_ok=True)
    if not photographs.exists():
        write_photographs(photographs, source, arguments.stimuli)
    describe(record, arguments, "generated" if source is None else source.parent.name)
    rows, errors = [], []
    for name in arguments.networks or list(VARIANCE if arguments.variance else networks.NETWORKS):
        if arguments.variance:
            folder = made(name, work / "variance", photographs, arguments)
            found = variance_of(folder, name)
        else:
            folder = made(name, work, photographs, arguments)
            found, off_by = judge(folder, planted(name, arguments))
            found = [{**row, **fidelity_of(folder)} for row in found]
            errors += off_by
        rows += [{"network": name, **row} for row in found]
        table = "variance.csv" if arguments.variance else "planted.csv"
        tables.write_csv(record / table, pd.DataFrame(rows))
        if not arguments.variance:
            write_names(record, rows, errors)
        print(pd.DataFrame(found).round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
