"""
The plan of a run: which models, explanations, predictors and analyses meet on which data sets.

Made from the complete config whenever the workflow is parsed: standard library alone.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, ClassVar

from gaborscope.workflow import (
    backbone_entries,
    completion,
    contests,
    deep_banks,
    nulls,
    pools,
    variants,
)

# Baselines that look at the stimuli of the fit split whenever they predict a block.
READ_FIT_SPLIT = ("shuffled_stimulus", "sun")
# Baselines that are banks fitted to fixations, and the folder of results/ where each bank lies.
BANK_FOLDERS = {"loggabor_fixations": "fixation_bank", "loggabor_equal": "equal_bank"}
# Baselines made of observers, of whom each prediction leaves some out.
PEOPLE = ("gold_standard", "one_observer")
# Coalitions of dimensions that one job refits.
COALITIONS_PER_JOB = 16
# Dimensions of which all coalitions are refitted; of more, those along some orders of theirs.
MOST_EXACT = 7
# Stimuli of the fit split on which the terms of a readout are chosen, at most.
TERM_STIMULI = 120
# The keys of a direct explanation that decide its regressors.
REGRESSOR_KEYS = (
    "mode", "control", "draw", "activation", "bank", "colour", "boundary", "kinds", "residual",
    "normalisation", "second_stage", "position", "mechanisms", "concepts", "pools",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Plan:
    """
    What the rules ask for.

    Attributes
    ----------
    config : dict
        Complete, see `settings.complete` and `backbone_entries.complete`.
    models : list of str
        Backbones to explain.
    targets : dict of str to str
        By model, the model whose densities its explanations are fused to: for a random copy the
        trained model, for every other model the model itself.
    salient_models : list of str
        Models that predict saliency. Of all other models, layers are explained, but
        nothing is fused or scored.
    deep_models : list of str
        Salient models without the random copies.
    trained, random_copies, imported : list of str
        Models by the way they get their weights.
    continued : list of str
        Trained models whose training starts from the weights of others.
    fit_on : str
        Data set for all fits; of several, the name of their pool, see `pools`.
    members : list of str
        The data sets of this pool; empty without one.
    datasets : list of str
        The data set of the fits, the members of a pool, and the data sets of the report.
    blocks : dict of str to dict of str to list of str
        By data set and split ("fit", "validation", "test"), the blocks of its stimuli.
    pending : list of str
        Data sets that must be downloaded before anything else can be planned.
    layers : dict of str to dict of str to str
        By model, the recorded layers: alias to module path, or to a mapping with `module`.
    cascade_layers : dict of str to dict of str to str
        The same for cascades, which follow the network's graph more closely where it has a table
        for them.
    direct, cascades, refined : list of str
        Explanations by mode.
    linear : list of str
        Explanations of mode direct with a linear readout, whose filters can be named.
    sections : list of [model, explanation]
        Which models get which explanations. Cascades end in a saliency map, so they are made for
        salient models alone.
    described : list of [model, explanation]
        The sections without those that `nulls` of the config adds. Of the nulls, only explained
        variance and scores are computed.
    explained : dict of str to str
        By predictor "{model}-{explanation}", the model that it is fused to and compared with.
    deep_banks : dict of str to str
        The same of banks fitted straight to a deep model, see `deep_banks.plan`.
    baselines : list of str
        With centre bias and gold standard, which information gain, shares and normalised scores
        need.
    maps : list of str
        Imported saliency maps.
    predictors : list of str
        All that predict saliency.
    presets : list of str
        Definitions of the metrics.
    cells : list of (preset, predictor, dataset)
        Everything that is scored. Imported maps are scored where they are there.
    """

    people: ClassVar[tuple[str, str]] = ("gold_standard", "loggabor_fixations")  # as for `bits`
    config: dict
    models: list[str]
    targets: dict[str, str]
    salient_models: list[str]
    deep_models: list[str]
    trained: list[str]
    random_copies: list[str]
    imported: list[str]
    continued: list[str]
    fit_on: str
    members: list[str]
    datasets: list[str]
    blocks: dict[str, dict[str, list[str]]]
    pending: list[str]
    layers: dict[str, dict[str, Any]]
    cascade_layers: dict[str, dict[str, Any]]
    direct: list[str]
    linear: list[str]
    cascades: list[str]
    refined: list[str]
    sections: list[list[str]]
    described: list[list[str]]
    explained: dict[str, str]
    deep_banks: dict[str, str]
    baselines: list[str]
    maps: list[str]
    predictors: list[str]
    presets: list[str]
    cells: list[tuple[str, str, str]]

    @classmethod
    def of(cls, config: dict, blocks: dict[str, dict[str, list[str]]]) -> Plan:
        """
        Plan a run.

        Parameters
        ----------
        config : dict
            Complete and checked.
        blocks : dict of str to dict of str to list of str
            By data set and split, its blocks; all empty where the data set is not there yet.

        Returns
        -------
        plan : Plan

        Raises
        ------
        InputError
            If a random copy is explained without its trained model, or a layer is wanted that a
            model has not.
        """
        backbones, explanations = config["backbones"], config["explanations"]
        models = list(config["models"])
        targets = variants.targets(config)
        salient = [name for name in models if backbone_entries.predicts(backbones[name])]
        deep = [name for name in salient if targets[name] == name]
        trained = [name for name in models if backbones[name]["weights"] == "train"]
        random_copies = [name for name in models if targets[name] != name]
        layers = {name: backbone_entries.layers(config, name) for name in models}
        by_mode = {
            mode: [name for name, entry in explanations.items() if entry["mode"] == mode]
            for mode in ("direct", "cascade", "refined")
        }
        sections = [
            [model, explanation]
            for model, explanation in itertools.product(models, explanations)
            if model in completion.explained_by(explanations[explanation], models)
            and (model in salient or explanation in by_mode["direct"])
        ]
        added = nulls.names(config)
        explained = {
            f"{model}-{explanation}": targets[model]
            for model, explanation in sections
            if model in salient
        }
        banks = deep_banks.plan(config, sections, deep)
        baselines = ["centre_bias", "gold_standard", *config["baselines"]["predictors"]]
        baselines = list(dict.fromkeys(baselines))
        maps, presets = list(config["maps"]), list(config["presets"])
        predictors = [*baselines, *deep, *explained, *banks, *maps]
        fit_on, members = pools.name(config["fit_on"]), pools.members(config["fit_on"])
        datasets = list(dict.fromkeys([fit_on, *members, *config["evaluate_on"]]))
        if fit_on not in members:
            blocks = {**blocks, fit_on: pools.blocks(members, blocks)}
        return cls(
            config=config,
            models=models,
            targets=targets,
            salient_models=salient,
            deep_models=deep,
            trained=trained,
            random_copies=random_copies,
            imported=[name for name in models if name not in [*trained, *random_copies]],
            continued=[name for name in trained if backbones[name]["start"]],
            fit_on=fit_on,
            members=[] if fit_on in members else members,
            datasets=datasets,
            blocks=blocks,
            pending=[
                name
                for name in datasets
                if name in config["datasets"] and not any(blocks[name].values())
            ],
            layers=layers,
            cascade_layers={
                name: backbones[name].get("cascade_layers") or layers[name] for name in models
            },
            direct=by_mode["direct"],
            linear=[n for n in by_mode["direct"] if explanations[n]["readout"] == "linear"],
            cascades=by_mode["cascade"],
            refined=by_mode["refined"],
            sections=sections,
            described=[pair for pair in sections if added.isdisjoint(pair)],
            explained=explained,
            deep_banks=banks,
            baselines=baselines,
            maps=maps,
            predictors=predictors,
            presets=presets,
            cells=[
                (preset, predictor, dataset)
                for preset in presets
                for predictor in predictors
                for dataset in config["evaluate_on"]
                if predictor not in maps or dataset in config["maps"][predictor]["paths"]
            ],
        )

    # Closeness to the deep model

    @property
    def compared(self) -> list[tuple[str, str, str, str]]:
        """
        (model, predictor, dataset, name) of all that is compared with an explained deep model.

        The explained predictors that are fused to it, the banks fitted to it, all baselines, other
        trainings of the same network, and imported maps. The name is that of the predictor; where
        it belongs to no single deep model and there are several, it is `{model}-{predictor}`.
        """
        several = len(self.deep_models) > 1
        cells = []
        for model in self.deep_models:
            own = {**self.explained, **self.deep_banks}
            own = [predictor for predictor, deep in own.items() if deep == model]
            shared = [*self.baselines, *self.maps, *self.other_trainings(model)]
            for predictor in [*own, *shared] if own else ():
                name = f"{model}-{predictor}" if several and predictor in shared else predictor
                cells += [
                    (model, predictor, dataset, name)
                    for dataset in self.config["evaluate_on"]
                    if self._is_there(predictor, dataset)
                ]
        return cells

    def other_trainings(self, model: str) -> list[str]:
        """Return the other trainings of a deep model's network among the deep models."""
        families = contests.families(self.config, self.targets)
        seeds = [name for family in families if model in family for name in family]
        return [name for name in self.deep_models if name in seeds and name != model]

    @property
    def roles(self) -> dict[str, str]:
        """By predictor, what it is to the deep model that it is compared with, for the report."""
        roles = {}
        for predictor in self.predictors:
            model, _, explanation = predictor.partition("-")
            if predictor in self.deep_banks:
                roles[predictor] = "no layer between"
            elif predictor in self.deep_models:
                roles[predictor] = "another training"
            elif predictor not in self.explained:
                roles[predictor] = "no network"
            elif self.targets[model] != model:
                partly = self.config["backbones"][model].get("randomise")
                roles[predictor] = "random in part" if partly else "random network"
            elif contests.control_of(explanation, self.config["explanations"])[0]:
                roles[predictor] = "wrong bank"
            else:
                roles[predictor] = "explanation"
        return roles

    def _is_there(self, predictor, dataset):
        """Whether a predictor has maps of a data set."""
        return predictor not in self.maps or dataset in self.config["maps"][predictor]["paths"]

    @property
    def exported(self) -> list[tuple[str, str]]:
        """
        (predictor, dataset) whose maps are written for other programs.

        All that has a density but the nulls that `nulls` of the config adds, and people: they have
        no single map, since each prediction leaves out who is predicted.
        """
        left_out = {"-".join(pair) for pair in self.nulls} | set(PEOPLE)
        return [
            (predictor, dataset)
            for predictor in self.predictors
            for dataset in self.config["evaluate_on"]
            if predictor not in left_out and self._is_there(predictor, dataset)
        ]

    # Splits of the data sets

    def held_out(self, dataset: str) -> list[str]:
        """Return the blocks of the validation and the test split."""
        return self.blocks[dataset]["validation"] + self.blocks[dataset]["test"]

    def exported_blocks(self, dataset: str) -> list[str]:
        """Return the blocks of the splits whose maps are written for other programs."""
        splits = self.config["export"]["splits"]
        return [block for split in splits for block in self.blocks[dataset][split]]

    def all_blocks(self, dataset: str) -> list[str]:
        """Return all blocks of a data set."""
        return self.blocks[dataset]["fit"] + self.held_out(dataset)

    def chosen_on(self, dataset: str | None = None) -> list[str]:
        """Return the blocks of the fit and the validation split, which fits and penalties use."""
        blocks = self.blocks[dataset or self.fit_on]
        return blocks["fit"] + blocks["validation"]

    def baseline_blocks(self, baseline: str, dataset: str) -> list[str]:
        """Return the blocks that a baseline looks at whenever it predicts a block."""
        return self.blocks[dataset]["fit"] if baseline in READ_FIT_SPLIT else []

    def stimuli_per_block(self, key: str, dataset: str, split: str) -> int:
        """Return how many stimuli of one block faithfulness is tested with, at most."""
        wanted = self.config["faithfulness"][key]
        return -(-wanted // len(self.blocks[dataset][split]))

    # Several data sets for the fits

    def kinds(self, dataset: str) -> str | dict[str, str]:
        """Return the type of a data set; of the pool, the types of its members by their names."""
        if dataset in self.config["datasets"]:
            return self.config["datasets"][dataset]["type"]
        return {name: self.config["datasets"][name]["type"] for name in self.members}

    def fit_set(self) -> dict[str, Any]:
        """Return what weights say of the data set that they are trained on."""
        n_blocks = self.config["n_blocks"]
        return {"dataset": self.fit_on, "type": self.kinds(self.fit_on), "n_blocks": n_blocks}

    def raw(self, dataset: str, block: str) -> dict[str, str]:
        """Return `dataset` and `block`; for a block of the pool, those that it is made from."""
        if dataset not in self.config["datasets"]:
            dataset, block = pools.member_block(block)
        return {"dataset": dataset, "block": block}

    @property
    def shown_on(self) -> str:
        """
        The data set whose stimuli the report shows: that of the fits.

        Of a pool, its first member that is evaluated, or the first.
        """
        shown = [name for name in self.members if name in self.config["evaluate_on"]]
        return [*shown, *self.members, self.fit_on][0]

    @property
    def synthetic(self) -> bool:
        """Whether the data set of the fits, or a member of the pool, is generated."""
        return any(
            self.config["datasets"][name]["type"] == "demo"
            for name in self.members or [self.fit_on]
        )

    # Analyses

    def runs(self, analysis: str) -> bool:
        """Tell whether an analysis runs."""
        return analysis in self.config["analyses"]

    def direct_sections(self, analysis: str | None = None) -> list[list[str]]:
        """Return described sections of linear readout; empty if the analysis does not run."""
        if analysis is not None and not self.runs(analysis):
            return []
        return [pair for pair in self.described if pair[1] in self.linear]

    @property
    def readout_sections(self) -> list[list[str]]:
        """Return described sections of mode direct whose readout is not linear."""
        others = [name for name in self.direct if name not in self.linear]
        return [pair for pair in self.described if pair[1] in others]

    # Nulls that the config adds

    @property
    def nulls(self) -> list[list[str]]:
        """The sections that `nulls` of the config adds."""
        return [pair for pair in self.sections if pair not in self.described]

    @property
    def described_models(self) -> list[str]:
        """Models without the random networks that `nulls` of the config adds."""
        return [name for name in self.models if name not in nulls.names(self.config)]

    @property
    def described_explanations(self) -> list[str]:
        """Explanations without the banks that `nulls` of the config adds."""
        added = nulls.names(self.config)
        return [name for name in self.config["explanations"] if name not in added]

    @property
    def described_predictors(self) -> list[str]:
        """Explained predictors of the described sections."""
        return [name for name in self.explained if name.split("-") in self.described]

    def of_mode(self, mode: str, model: str, nulls: bool) -> list[str]:
        """
        Return the explanations of a mode that are nulls of a model, or all others.

        What a null goes on from is one too, unless the run describes it.
        """
        entries, added = self.config["explanations"].items(), set()
        for name, explanation in self.nulls:
            if name == model:
                start = self.config["explanations"][explanation].get("start")
                added |= {explanation, *([] if [model, start] in self.described else [start])}
        return [
            name for name, entry in entries if entry["mode"] == mode and (name in added) == nulls
        ]

    @property
    def accumulated(self) -> list[tuple[str, str, bool]]:
        """
        Rules that accumulate statistics.

        For each model the ending of the rule's name, and whether its files are kept: those of
        nulls are thrown away.
        """
        added = {model for model, explanation in self.nulls if explanation in self.direct}
        kept = [(model, "", True) for model in self.described_models]
        return kept + [(model, "_nulls", False) for model in self.models if model in added]

    @property
    def bits(self) -> list[list[str]]:
        """[model, explanation] whose information gain is split by dimensions; people come last."""
        chosen = self.config["bits"]["explanations"]
        people = self.runs("bits") and self.config["bits"]["people"]
        return [
            [model, explanation]
            for model, explanation in self.direct_sections("bits")
            if model in self.deep_models
            and self.config["explanations"][explanation]["solver"]["name"] == "ridge"
            and (chosen is None or explanation in chosen)
        ] + ([list(self.people)] if people else [])

    def bit_parts(self, model: str, explanation: str) -> list[str]:
        """Return the names of the jobs that share the coalitions of an explanation or people."""
        if model == self.people[0]:
            return ["0"]
        entry = self.config["explanations"][explanation]
        n = 3 + entry["position"] + entry["second_stage"] + len(entry["mechanisms"])
        n += len(entry["concepts"])
        n_coalitions = 2**n if n <= MOST_EXACT else 2 * n * (n - 1) + 2
        n_coalitions += len(entry["concepts"])  # each with the maps of other stimuli in its place
        return [str(part) for part in range(-(-n_coalitions // COALITIONS_PER_JOB))]

    @property
    def faithful(self) -> list[list[str]]:
        """[model, dataset, explanation] whose faithfulness to the network is tested."""
        return self._of_deep_models("faithfulness")

    @property
    def differentiated(self) -> list[list[str]]:
        """[model, dataset, explanation] that changes of images are made to part."""
        return self._of_deep_models("differentiation")

    def _of_deep_models(self, analysis):
        """Return the sections of deep models that an analysis chooses, on every data set."""
        chosen = self.config[analysis]["explanations"] if self.runs(analysis) else []
        return [
            [model, dataset, explanation]
            for model, explanation in self.sections
            for dataset in self.config["evaluate_on"]
            if model in self.deep_models and explanation in chosen
        ]

    @property
    def sparsity_scored(self) -> list[str]:
        """Explanations of mode direct that are scored with few filters per map."""
        if not self.runs("sparsity_scores"):
            return []
        return [
            name
            for name in self.linear
            if self.config["explanations"][name]["sparsity_scores"]["budgets"]
        ]

    @property
    def spectra(self) -> list[str]:
        """
        Predictors whose log-density the bank is fitted to.

        A uniform density has no spectrum. Classical models are computed anew on the fit split and
        take longer than all other predictors, so they are included only if the config names them
        (or says `all`). Imported maps are included if they cover the data set of the fits.
        """
        chosen = self.config["spectra"]["predictors"]
        if not self.runs("spectra"):
            return []
        if isinstance(chosen, list):
            return chosen
        baselines = ["centre_bias", "gold_standard"]
        if chosen == "all":
            baselines = [name for name in self.baselines if name != "uniform"]
        maps = [name for name in self.maps if self.fit_on in self.config["maps"][name]["paths"]]
        return [*self.deep_models, *baselines, *maps]

    @property
    def computed_spectra(self) -> dict[str, dict]:
        """
        Settings of the baselines in `spectra`.

        These baselines are computed anew, because the fit split has no files of them.
        """
        return {
            name: self.config["baselines"].get(name, {})
            for name in self.spectra
            if name in self.baselines
        }

    @property
    def computed_banks(self) -> list[str]:
        """Baselines in `spectra` that are banks fitted to fixations."""
        return [name for name in self.computed_spectra if name in BANK_FOLDERS]

    @property
    def ablation_options(self) -> dict[str, dict]:
        """Options of the ablation by name, the explanation `direct` first."""
        entry = {"direct": self.config["explanations"].get("direct", {})}
        return {**entry, **self.config["ablation"]["options"]}

    @property
    def ablation_trials(self) -> list[list[str]]:
        """[model, option] of the ablation."""
        return [[model, option] for model in self.deep_models for option in self.ablation_options]

    @property
    def ablation_blocks(self) -> dict[str, list[str]]:
        """The blocks of the ablation by split: few to fit, all of the validation split."""
        blocks = self.blocks[self.fit_on]
        n_blocks = self.config["ablation"]["blocks"]
        return {"fit": blocks["fit"][:n_blocks], "validation": blocks["validation"]}

    def ablated(self) -> list[str]:
        """Return all blocks of the ablation."""
        return self.ablation_blocks["fit"] + self.ablation_blocks["validation"]

    # Refutation

    @property
    def families(self) -> dict[str, dict[str, dict[str, list[str]]]]:
        """Nulls of each explanation of a trained network, by family; see `nulls.families`."""
        return nulls.families(self.config, self.explained, self.targets)

    @property
    def banks_and_randoms(self) -> dict[str, dict[str, list[str]]]:
        """
        Other banks and random networks of each explanation of a trained network, by family.

        By `{model}-{explanation}`; unlike `families` also where the network predicts no saliency.
        """
        every = {"-".join(pair): self.targets[pair[0]] for pair in self.sections}
        return {
            f"{model}-{explanation}": {
                family: groups[family] for family in ("random_networks", *nulls.BANKS.values())
            }
            for model, own in nulls.families(self.config, every, self.targets).items()
            for explanation, groups in own.items()
        }

    @property
    def contests(self) -> list[dict]:
        """Rivals of each explanation of a trained network, see `contests.plan`."""
        return contests.plan(self.config, self.families, self.deep_banks, self.other_regressors)

    @property
    def other_regressors(self) -> list[str]:
        """Explained predictors whose regressors `loggabor_deep_same` of their network has not."""
        return [
            predictor
            for predictor, model in self.explained.items()
            if not deep_banks.has_same(
                self.config, self.sections, model, predictor.partition("-")[2]
            )
        ]

    @property
    def judged_cells(self) -> list[tuple[str, str, str]]:
        """Cells of `cells` that verdicts rest on: those of the first preset."""
        return [cell for cell in self.cells if cell[0] == self.presets[0]]

    def halves(self) -> list[list[str]]:
        """Return [model, explanation] of which two halves of the fit split are compared."""
        if not self.runs("halves"):
            return []
        pairs = [[contest["model"], contest["explanation"]] for contest in self.contests]
        return [pair for pair in pairs if pair[1] in self.linear]

    @property
    def seed_families(self) -> dict[str, list[list[str]]]:
        """For each explanation, the groups of networks that differ only in their training seed."""
        families = contests.families(self.config, self.targets)
        return {
            explanation: [
                [model for model in family if [model, explanation] in self.described]
                for family in families
            ]
            for explanation in self.linear
        }

    @property
    def seeded(self) -> dict[str, list[str]]:
        """For each explanation with networks of several seeds, all networks in its groups."""
        if not self.runs("seeds"):
            return {}
        return {
            explanation: [model for family in families for model in family]
            for explanation, families in self.seed_families.items()
            if any(len(family) > 1 for family in families)
        }

    # Settings of jobs

    def settings_of(self, explanation: str) -> dict:
        """Return the settings of an explanation without its `models` key."""
        entry = self.config["explanations"][explanation]
        return {key: value for key, value in entry.items() if key != "models"}

    def regressor_settings(self, explanation: str) -> dict:
        """Return the settings of an explanation that decide its regressors."""
        entry = self.config["explanations"][explanation]
        return {key: entry[key] for key in REGRESSOR_KEYS}

    def readout_of(self, explanation: str) -> dict:
        """Return the settings of an explanation's readout: `readout`, `terms`, `start`."""
        entry = self.config["explanations"][explanation]
        return {key: entry[key] for key in ("readout", "terms", "start")}

    @staticmethod
    def term_stimuli(blocks: list[str]) -> int:
        """Return how many stimuli of each of some blocks the terms of a readout are chosen on."""
        return -(-TERM_STIMULI // max(1, len(blocks)))

    def solver_of(self, explanation: str) -> dict:
        """Return name and budget of the solver of an explanation of mode direct."""
        solver = self.config["explanations"][explanation]["solver"]
        return {key: solver[key] for key in ("name", "budget")}

    def start_of(self, explanation: str) -> dict:
        """Return the settings of the explanation that a refined one starts from."""
        return self.settings_of(self.config["explanations"][explanation]["start"])

    def map_settings(self, name: str, dataset: str) -> dict:
        """Return path, kind and resizing of imported maps on a data set."""
        entry = self.config["maps"][name]
        return {
            "path": entry["paths"][dataset],
            "kind": entry.get("kind", "density"),
            "resize": entry.get("resize", False),
        }

    def concepts(self, explanation: str) -> list[str]:
        """Return the concepts whose maps are regressors of an explanation."""
        return self.config["explanations"][explanation].get("concepts", [])

    @property
    def shown_concepts(self) -> list[str]:
        """Concepts of the explanations that the report shows."""
        shown = [name for _, explanation in self.described for name in self.concepts(explanation)]
        return list(dict.fromkeys(shown))

    def bank_concepts(self, baseline: str) -> list[str]:
        """Return the concepts of a bank fitted to fixations; none of another baseline."""
        if baseline not in BANK_FOLDERS:
            return []
        entry = self.config["baselines"]["loggabor_fixations"]
        return (self.equal_bank() if baseline == "loggabor_equal" else entry)["concepts"]

    def concept_path(self, name: str, dataset: str) -> str:
        """Return the folder or the HDF5 file of a concept's maps on a data set."""
        maps = self.config["concepts"][name]["maps"]
        return maps if isinstance(maps, str) else maps[dataset]

    def map_folders(self) -> list[tuple[str, str, str, str]]:
        """Return section, name, data set and path of all maps of others on the data sets."""
        maps = [
            ("maps", name, dataset, entry["paths"][dataset])
            for name, entry in self.config["maps"].items()
            for dataset in self.datasets
            if dataset in entry["paths"]
        ]
        return maps + [
            ("concepts", name, dataset, self.concept_path(name, dataset))
            for name, entry in self.config["concepts"].items()
            for dataset in self.datasets
            if dataset in self.config["datasets"]
            if isinstance(entry["maps"], str) or dataset in entry["maps"]
        ]

    def equal_bank(self) -> dict:
        """Return the settings of `loggabor_equal`, which has all regressors of an explanation."""
        entry = self.config["baselines"]["loggabor_equal"]
        explanation = self.config["explanations"][entry["like"]]
        size = self.config["backbones"][self.models[0]]["input"]
        keys = ("bank", "colour", "boundary", "kinds", "residual", "normalisation", "position")
        more = ("second_stage", "mechanisms", "concepts", "pools")
        return {
            **{key: explanation[key] for key in (*keys, *more)},
            "input": {key: size[key] for key in ("height", "width")},
            "stride": explanation["fusion"]["stride"],
            "penalties": entry["penalties"],
        }

    def deep_bank(self, model: str, name: str) -> dict:
        """Return the settings of a bank fitted to a deep model, see `deep_banks.settings`."""
        return deep_banks.settings(name, model, self.config, self.sections)

    def behind(self, predictor: str) -> list[str]:
        """
        Return the models that a predictor depends on.

        Parameters
        ----------
        predictor : str

        Returns
        -------
        models : list of str
            The model that the predictor is or explains, and the one that it is fused to; empty for
            baselines and imported maps. The predictor has seen all stimuli that these models were
            trained on.
        """
        model = predictor.partition("-")[0]
        if model not in self.salient_models:
            return []
        return list(dict.fromkeys([model, self.targets[model]]))

    def compared_pairs(self) -> list[list[str]]:
        """Return [predictor, other] whose paired differences the report shows."""
        pairs = [[name, "centre_bias"] for name in self.predictors if name != "centre_bias"]
        return pairs + [list(pair) for pair in self.explained.items()]
