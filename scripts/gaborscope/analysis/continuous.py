"""Which filters a map is made of, on the bank's grid and between its points, and how many."""

import itertools
from collections.abc import Sequence

import numpy as np
from scipy import linalg

from gaborscope.analysis.nodes import ENERGIES, STEPS, Samples, Term

# Filters that a map is tried with, at most.
MOST = 10
# A filter is named if without it the explained variance of validation stimuli falls by more than
# both: this share of the map's variance, and this share of what all its filters leave over.
LEAST, OF_THE_REST = 0.004, 0.04
# Terms whose columns are kept.
KEPT = 100
# Columns that others explain up to this share are not chosen.
DEPENDENT = 0.01


class Fit:
    """
    Least squares of one map by a few filters, at samples.

    Columns are the response of every filter and, of those that measure energy, their means over
    the surround and the products of any two. So a map that multiplies, compares or rectifies
    energies is fitted by its own filters, and does not ask for others to stand in.

    Parameters
    ----------
    samples : Samples
    index : int
        Number of the map.
    """

    def __init__(self, samples: Samples, index: int) -> None:
        self.samples = samples
        values = samples.maps[index].astype(float)
        self.values = (values - values.mean()).astype(np.float32)
        self.total = float(self.values.astype(float) @ self.values)
        self._made = dict[Term, np.ndarray]()

    def columns(self, terms: Sequence[Term]) -> tuple[np.ndarray, np.ndarray, list, list]:
        """
        Columns of the fit, centred.

        Parameters
        ----------
        terms : sequence of Term
            At least one.

        Returns
        -------
        columns : float32 array (column, sample)
            Responses, means over the surround, products.
        slopes : float32 array (term, 3, sample)
            Derivatives of the responses.
        energies : list of int
            Terms that measure energy.
        pairs : list of (int, int)
            Terms that are multiplied.
        """
        found = [self._of(term) for term in terms]
        plain, slopes = (
            np.stack([of_term[part] for of_term in found]) for part in (0, slice(1, 4))
        )
        energies = [i for i, term in enumerate(terms) if self.samples.is_energy(term)]
        pairs = list(itertools.combinations_with_replacement(energies, 2))
        parts = [plain]
        if energies:
            first, second = zip(*pairs, strict=True)
            products = plain[list(first)] * plain[list(second)]
            parts += [np.stack([found[energy][4] for energy in energies]), products]
        columns = np.concatenate(parts)
        columns -= columns.mean(axis=1, keepdims=True)
        return columns, slopes, energies, pairs

    def _of(self, term):
        """
        Return response and derivatives of a term, centred; then, of an energy, their surround.

        The last ones made are kept.
        """
        if term not in self._made:
            if len(self._made) >= KEPT:
                self._made.clear()
            found = self.samples.columns(term)
            found -= found.mean(axis=1, keepdims=True)
            if self.samples.is_energy(term):
                found = np.concatenate([found, self.samples.surround(found)])
            self._made[term] = found
        return self._made[term]

    def solve(self, terms: Sequence[Term]) -> tuple[float, np.ndarray]:
        """Return the squared error of a fit by some terms and the weights of its columns."""
        if not terms:
            return self.total, np.zeros(0)
        return self._solved(self.columns(terms)[0])

    def _solved(self, columns):
        gram = (columns @ columns.T).astype(float)
        cross = (columns @ self.values).astype(float)
        weight = linalg.solve(_regular(gram), cross, assume_a="pos")
        return float(self.total - 2 * weight @ cross + weight @ gram @ weight), weight

    def error_of(self, other: "Fit", terms: Sequence[Term]) -> float:
        """Return the squared error here of terms with the weights of another fit."""
        if not terms:
            return self.total
        _, weight = other.solve(terms)
        rest = self.values - weight.astype(np.float32) @ self.columns(terms)[0]
        return float(rest @ rest)

    def explained(self, other: "Fit", terms: Sequence[Term]) -> float:
        """Return the explained variance of other samples by the responses of terms alone."""
        n = len(terms)
        _, weight = self._solved(self.columns(terms)[0][:n])
        rest = other.values - weight.astype(np.float32) @ other.columns(terms)[0][:n]
        return float(1 - rest @ rest / other.total)

    def refine(self, terms: Sequence[Term], n_steps: int, widths: bool = True) -> list[Term]:
        """
        Move filters so that the squared error falls: damped Gauss-Newton steps.

        Parameters
        ----------
        terms : sequence of Term
        n_steps : int
            At most.
        widths : bool
            Whether bandwidths change too. One broad filter may stand in for two.

        Returns
        -------
        terms : list of Term
        """
        terms = list(terms)
        if not any(term.kind >= 0 for term in terms):
            return terms
        last, damping = self.samples.grid.shape[0] - 1, 1e-2
        made = self.columns(terms)
        error, weight = self._solved(made[0])
        for _ in range(n_steps):
            step = self._step(terms, made, weight, damping, 3 if widths else 2)
            moved = [_moved(term, by, last) for term, by in zip(terms, step, strict=True)]
            tried = self.columns(moved)
            new_error, new_weight = self._solved(tried[0])
            if new_error >= error:
                damping *= 10
                continue
            settled = error - new_error < 1e-4 * error
            terms, made, error, weight = moved, tried, new_error, new_weight
            damping /= 5
            if settled:
                break
        return terms

    def _step(self, terms, made, weight, damping, axes):
        """Return a Gauss-Newton step (term, 3) of the places by some axes, weights eliminated."""
        columns, slopes, energies, pairs = made
        slopes = slopes[:, :axes]
        n, weight = len(slopes), weight.astype(np.float32)
        factor = np.repeat(weight[:n, None], columns.shape[1], axis=1)
        for (first, second), w in zip(pairs, weight[n + len(energies) :], strict=True):
            factor[first] += w * columns[second]
            factor[second] += w * columns[first]
        jacobian = slopes * factor[:, None]
        if energies:
            around = np.stack([self._of(terms[energy])[5 : 5 + axes] for energy in energies])
            by_energy = weight[n : n + len(energies), None, None]
            jacobian[energies] += by_energy * around
        jacobian = jacobian.reshape(axes * n, -1)
        jacobian -= jacobian.mean(axis=1, keepdims=True)
        rest = self.values - weight @ columns
        inner = _regular((columns @ columns.T).astype(float))
        mixed = (columns @ jacobian.T).astype(float)
        outer = (jacobian @ jacobian.T).astype(float)
        normal = outer - mixed.T @ linalg.solve(inner, mixed, assume_a="pos")
        size = np.maximum(np.diag(outer), 1e-9 * max(np.diag(outer).max(), 1e-30))
        regular = normal + (damping + 1e-6) * np.diag(size)
        step = linalg.solve(regular, (jacobian @ rest).astype(float), assume_a="sym")
        whole = np.zeros((n, 3))
        whole[:, :axes] = np.clip(step.reshape(n, axes), -0.7, 0.7)
        return whole


def _regular(gram):
    diagonal = np.diag(gram)
    return gram + 1e-5 * np.diag(np.maximum(diagonal, 1e-6 * max(diagonal.max(), 1e-30)))


def _moved(term, step, last):
    """Return a term at another place within the nodes."""
    if term.kind < 0:
        return term
    wavelength, orientation, bandwidth = (
        float(p + s) for p, s in zip(term.place, step, strict=True)
    )
    place = (min(max(wavelength, 0.0), last), orientation, min(max(bandwidth, -1.0), 1.0))
    return term._replace(place=place)


class Candidates:
    """
    Filters of the bank and regressors without a wavelength, of which the next one is chosen.

    Parameters
    ----------
    samples : Samples
    """

    def __init__(self, samples: Samples) -> None:
        grid = samples.grid
        below = grid.below
        block = samples.responses[1, :, :, below::STEPS, ::STEPS]
        block = block[:, :, : grid.settings["bank"]["n_scales"]]
        self.terms = [
            Term(kind, colour, grid.place(scale, orientation))
            for colour, kind, scale, orientation in np.ndindex(block.shape[:4])
        ]
        self.terms += [Term(-1, number) for number in range(len(samples.fixed))]
        values = np.concatenate([block.reshape(-1, block.shape[-1]), samples.fixed])
        values -= values.mean(axis=1, keepdims=True)
        norm = np.linalg.norm(values, axis=1)
        floor = 1e-6 * norm.max(initial=0)
        self.values = values / np.where(norm > floor, norm, np.inf)[:, None]

    def best(self, fit: Fit, terms: Sequence[Term], rule: str) -> Term | None:
        """
        Filter that explains most of what a fit by some terms leaves.

        Parameters
        ----------
        fit : Fit
        terms : sequence of Term
            Filters within three quarters of a step of these are left out.
        rule : {"omp", "ols"}
            See `sparse.select`.

        Returns
        -------
        best : Term or None
            None if none explains anything.
        """
        rest, left = fit.values, np.ones(len(self.terms), np.float32)
        if terms:
            basis, _ = np.linalg.qr(fit.columns(terms)[0].T)
            rest = rest - basis @ (basis.T @ rest)
            left = left - ((self.values @ basis) ** 2).sum(axis=1)
        gain = (self.values @ rest) ** 2
        if rule == "ols":
            gain /= np.maximum(left, DEPENDENT)
        gain[left < DEPENDENT] = 0
        for number in np.argsort(-gain)[: 20 * (len(terms) + 1)]:
            candidate = self.terms[number]
            if gain[number] <= 0:
                return None
            if not any(_same(fit.samples, candidate, term, 0.75) for term in terms):
                return candidate
        return None


def _same(samples, first, second, steps):
    """Whether two filters are one: of one colour and kind, and less than some steps apart."""
    if min(first.kind, second.kind) < 0 or first.colour != second.colour:
        return first == second
    both_energy = samples.is_energy(first) and samples.is_energy(second)
    if first.kind != second.kind and not both_energy:
        return False
    n = samples.grid.shape[1]
    turn = (first.place[1] - second.place[1]) % n
    return max(abs(first.place[0] - second.place[0]), min(turn, n - turn)) < steps * STEPS


def name(fit: Fit, held: Fit, candidates: Candidates, rule: str) -> list[Term]:
    """
    Find the filters that a map is made of, refined; held-out samples decide how many.

    Filters of the bank are added one by one, and all are refined together, until the next one gains
    less than half of what it takes to be named. Then the weakest is taken out, the others refined
    again, until each that is left lowers the error on the held-out samples by more than `LEAST` and
    `OF_THE_REST`.

    Parameters
    ----------
    fit, held : Fit
        The map at samples of the fit split, and of the validation split.
    candidates : Candidates
        Of the samples that are fitted to.
    rule : {"omp", "ols"}

    Returns
    -------
    terms : list of Term
        The filter comes first without which the error grows most. Empty for a dead map.
    """
    if min(fit.total, held.total) <= 0:
        return []
    terms, error = [], fit.total
    while len(terms) < MOST and (best := candidates.best(fit, terms, rule)) is not None:
        tried = fit.refine([*terms, best], 2, widths=False)
        new_error, _ = fit.solve(tried)
        if error - new_error < max(LEAST * fit.total, OF_THE_REST * new_error) / 2:
            break
        terms, error = tried, new_error
    while terms:
        terms = _settled(fit, terms)
        error = held.error_of(fit, terms)
        threshold = max(LEAST * held.total, OF_THE_REST * error)
        trials = [
            _without(fit, held, terms, place, error, threshold) for place in range(len(terms))
        ]
        loss, others = min(trials, key=lambda trial: trial[0])
        if loss > threshold:
            order = sorted(range(len(terms)), key=lambda place: -trials[place][0])
            return [terms[place] for place in order]
        terms = others
    return []


def _without(fit, held, terms, place, error, threshold):
    """Return what a filter is worth on held-out samples, and the filters without it."""
    others = [*terms[:place], *terms[place + 1 :]]
    if any(_same(fit.samples, terms[place], other, 0.5) for other in others):
        return -np.inf, others  # two of one kind at one place are one filter
    loss = held.error_of(fit, others) - error
    if loss < 4 * threshold:  # others may stand in for it
        others = fit.refine(others, 3, widths=False)
        loss = held.error_of(fit, others) - error
    return loss, others


def _settled(fit, terms):
    """Return refined terms, the energies of the kinds that fit best, one by one or all alike."""
    terms = fit.refine(terms, 8)
    kinds = [kind for kind, text in enumerate(fit.samples.kinds) if text in ENERGIES]
    energies = [place for place, term in enumerate(terms) if fit.samples.is_energy(term)]
    alike = [
        [t._replace(kind=kind) if place in energies else t for place, t in enumerate(terms)]
        for kind in kinds
        if len(energies) > 1
    ]
    for place in energies:
        trials = [
            [*terms[:place], terms[place]._replace(kind=kind), *terms[place + 1 :]]
            for kind in kinds
        ]
        terms = min(trials, key=lambda trial: fit.solve(trial)[0])
    trials = [fit.refine(trial, 3) for trial in (terms, *alike)]
    return min(trials, key=lambda trial: fit.solve(trial)[0])
