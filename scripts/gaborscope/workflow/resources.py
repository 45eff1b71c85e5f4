"""
Run time, memory and disk that each job asks a scheduler for, from measurements.

The numbers stand in rules/resources.smk. A run time is four times the measured one plus
ten minutes; memory is 1.5 times the measured one; every retry doubles both. Standard library alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from gaborscope.workflow import backbone_entries
from gaborscope.workflow.plan import Plan

CASCADE_STAGES = ("fit_cascade", "refine_cascade")
FUSE_ALL = "fuse_all_layers"  # in addition, where all layers of a cascade are fused
START = 4.0  # seconds that every job takes to start and to import
UNKNOWN_NETWORK = 5  # times the seconds of cmrnet: a guess for networks not measured


@dataclasses.dataclass(frozen=True)
class Measured:
    """
    Measured needs of the stages.

    Attributes
    ----------
    area_px : int
        Height times width of the network's input in the measurements.
    seconds : dict of str to float
        CPU seconds by stage, per stimulus; for training, per stimulus and epoch.
    seconds_at_any : dict of str to float
        CPU seconds by stage at any number of stimuli, in addition; only stages above five.
    megabytes : dict of str to float
        Memory by stage, whatever the number of stimuli.
    megabytes_per_stimulus : dict of str to float
        Memory by stage for each stimulus, in addition.
    written : dict of str to float
        Megabytes that a job writes at any number of stimuli; only stages above 100.
    written_per_stimulus : dict of str to float
        Megabytes that a job writes for each stimulus, in addition.
    by_area : set of str
        Stages whose amounts grow with the area of the input.
    by_network : set of str
        Stages whose seconds grow with the network.
    heavier, heavier_cascades : dict of str to float
        By network, the ratio of its seconds to those of cmrnet. `heavier_cascades` holds for
        CASCADE_STAGES, `heavier` for all other stages.
    """

    area_px: int
    seconds: dict[str, float]
    seconds_at_any: dict[str, float]
    megabytes: dict[str, float]
    megabytes_per_stimulus: dict[str, float]
    written: dict[str, float]
    written_per_stimulus: dict[str, float]
    by_area: set[str]
    by_network: set[str]
    heavier: dict[str, float]
    heavier_cascades: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Resources:
    """
    Functions of wildcards and attempt, as Snakemake calls them.

    Attributes
    ----------
    plan : Plan
    measured : Measured
    n_stimuli : dict of str to int
        By data set.
    block_sizes : dict of str to dict of str to int
        Stimuli by data set and block.
    """

    plan: Plan
    measured: Measured
    n_stimuli: dict[str, int]
    block_sizes: dict[str, dict[str, int]]

    def runtime(self, stage: str, model: str | None = None) -> Callable[[Any, int], int]:
        """
        Return the function that gives a job's run time in minutes.

        Parameters
        ----------
        stage : str
            Name of the rule.
        model : str, optional
            Where it is no wildcard of the rule.
        """

        def minutes(wildcards, attempt):
            used = self.seconds(stage, wildcards, model) / 60
            return math.ceil((10 + 4 * used) * 2 ** (attempt - 1))

        return minutes

    def seconds(self, stage: str, wildcards: Any, model: str | None = None) -> float:
        """
        Return the CPU seconds that a job is expected to take, but for its start.

        Parameters
        ----------
        stage : str
        wildcards : object
            Wildcards of the job as attributes.
        model : str, optional
            Where it is no wildcard of the rule.

        Returns
        -------
        seconds : float
        """
        used = self._amount(self.measured.seconds, stage, wildcards, model)
        if stage in CASCADE_STAGES:
            used *= self._times(self.measured.heavier_cascades, wildcards.model)
        if stage in self.measured.by_network:
            used *= self._times(self.measured.heavier, wildcards.model)
        if stage == "train_backbone":
            used *= backbone_entries.training(self.plan.config, wildcards.model)["epochs"]
        if stage == "refine_cascade":
            used *= self.plan.config["explanations"][wildcards.explanation]["epochs"]
        if stage == "differentiate":
            wanted = self.plan.config["differentiation"]
            used *= len(wanted["levels"]) * wanted["steps"]
            used *= min(1, wanted["stimuli"] / max(1, self._stimuli(wildcards)))
        if self._fuses_all(stage, wildcards):
            used += self._amount(self.measured.seconds, FUSE_ALL, wildcards, model)
        return used + self.measured.seconds_at_any.get(stage, 0)

    def expected(self, rule: str, wildcards: Any) -> float:
        """
        Return the seconds that a job is expected to take on one core, its start included.

        Parameters
        ----------
        rule : str
            Name of the rule, which may end in a model or in what sets it apart: fuse_nulls.
        wildcards : object
            Wildcards of the job as attributes.

        Returns
        -------
        seconds : float
            `START` for a rule that was not measured.
        """
        known = {**self.measured.seconds, **self.measured.seconds_at_any}
        stages = [s for s in known if rule == s or rule.startswith(f"{s}_")]
        if not stages:
            return START
        stage = max(stages, key=len)
        model = rule.removeprefix(stage)[1:]
        of = model if model in self.plan.config["backbones"] else None
        return START + self.seconds(stage, wildcards, of)

    def mem_mb(self, stage: str, model: str | None = None) -> Callable[[Any, int], int]:
        """Return the function that gives a job's memory in megabytes; parameters as `runtime`."""

        def megabytes(wildcards, attempt):
            used = self.measured.megabytes[stage]
            used += self._amount(self.measured.megabytes_per_stimulus, stage, wildcards, model)
            if stage in self.measured.by_network and self._network(wildcards.model) == "msinet":
                used += 2000
            return math.ceil(1.5 * used * 2 ** (attempt - 1))

        return megabytes

    def disk_mb(self, stage: str, model: str | None = None) -> Callable[[Any], int]:
        """Return the function that gives the megabytes a job writes; parameters as `runtime`."""

        def megabytes(wildcards):
            used = self._amount(self.measured.written_per_stimulus, stage, wildcards, model)
            if self._fuses_all(stage, wildcards):
                used += self._amount(self.measured.written_per_stimulus, FUSE_ALL, wildcards, model)
            return math.ceil(self.measured.written.get(stage, 100) + used)

        return megabytes

    def _fuses_all(self, stage, wildcards):
        """Whether a job fuses all layers of a cascade, which takes more than its last ones."""
        if stage not in CASCADE_STAGES:
            return False
        fusion = self.plan.config["explanations"][wildcards.explanation]["fusion"]
        return fusion["layers"] == "all"

    def _amount(self, table, stage, wildcards, model):
        """Return the number of a table for all stimuli of a job, at the area of its input."""
        model = model or getattr(wildcards, "model", None)
        factor = 1
        if stage in self.measured.by_area and model in self.plan.config["backbones"]:
            size = self.plan.config["backbones"][model]["input"]
            factor = max(1, size["height"] * size["width"] / self.measured.area_px)
        return table.get(stage, 0) * self._stimuli(wildcards) * factor

    def _stimuli(self, wildcards):
        """Return the number of stimuli of a job: in its block, its data set or `fit_on`."""
        dataset = getattr(wildcards, "dataset", self.plan.fit_on)
        block = getattr(wildcards, "block", None)
        if block is None:
            return self.n_stimuli[dataset]
        return self.block_sizes[dataset].get(block, 0)

    def _network(self, model):
        """Return the name of the network whose code a model runs."""
        return self.plan.config["backbones"][model].get("network", model)

    def _times(self, table, model):
        return table.get(self._network(model), UNKNOWN_NETWORK)
