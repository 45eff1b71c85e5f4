"""
Try mutants of core modules on the tests that concern them (`make mutants`).

Works on a copy of the tree. Every mutant runs, in a process forked from one that has imported the
libraries, the quick tests that reach its lines; one that survives them runs all tests of its
package. Ends with 1 where fewer than 90 % of the mutants that change the meaning are killed.
mutmut and cosmic-ray neither draw a sample nor swap axes, orders and names; the second also starts
Python anew for each mutant, which takes longer than the tests.
"""

import argparse
import collections
import functools
import itertools
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parents[1]))

from mutants.modules import MODULES, TESTS  # noqa: E402
from mutants.operators import changed_source, mutants  # noqa: E402

LIBRARIES = ("numpy", "scipy.stats", "scipy.optimize", "scipy.ndimage", "pandas", "h5py", "cv2",
             "PIL.Image", "hypothesis", "pytest", "_pytest.assertion.rewrite", "coverage", "torch",
             "jsonschema", "snakemake.utils", "jinja2", "matplotlib.pyplot", "psutil")  # fmt: skip
LEAST = 0.9
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-m", "not slow")
FORK = multiprocessing.get_context("fork")


def equal_in_meaning():
    """Mutants that no test can kill, with the reason, by module, function and change."""
    entries = yaml.safe_load(HERE.with_name("equal.yaml").read_text("utf-8")) or []
    keys = ("module", "function", "before", "after")
    return {tuple(str(entry[key]) for key in keys): entry["reason"] for entry in entries}


def drawn(found, number, seed):
    """Return a sample of the mutants of a module, in which every kind comes in turn."""
    rng, by_kind = random.Random(seed), collections.defaultdict(list)
    for mutant in found:
        by_kind[mutant.kind].append(mutant)
    kinds = sorted(by_kind)
    rng.shuffle(kinds)
    for kind in kinds:
        rng.shuffle(by_kind[kind])
    in_turn = itertools.zip_longest(*(by_kind[kind] for kind in kinds))
    return [mutant for round_ in in_turn for mutant in round_ if mutant is not None][:number]


def source_of(root, module):
    """Path of a module's source in a tree."""
    return root / "scripts" / "gaborscope" / f"{module}.py"


def copied(folder):
    """Copy the tree, without what git ignores."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folder.mkdir()
    for file in filter(None, listed.split("\0")):
        if (ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
    return folder


def forked(folder, work, seconds):
    """Exit status of some work in a process of its own; -1 where it took too long or died."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        silent = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(silent, number)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
        os.chdir(folder)
        status = 3
        try:
            status = int(work())
        finally:
            os._exit(status)
    ends = time.monotonic() + 4 * seconds + 20  # other work may share the cores
    while not (done := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() > ends:
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.01)
    return os.WEXITSTATUS(done[1]) if os.WIFEXITED(done[1]) else -1


class Reached:
    """Notes which lines each test reaches, and how long it takes."""

    def __init__(self, measured):
        self.measured, self.seconds = measured, {}

    def pytest_runtest_logstart(self, nodeid):
        # what fixtures reach is reached by every test of the file
        self.measured.switch_context(nodeid.split("::")[0])

    def pytest_runtest_call(self, item):
        self.measured.switch_context(item.nodeid)

    def pytest_runtest_teardown(self, item):
        self.measured.switch_context(item.nodeid.split("::")[0])

    def pytest_runtest_logreport(self, report):
        if report.passed:
            self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration


def reach(folder, package, modules, result):
    """Run all quick tests of a package on the unchanged modules; write down what each reaches."""
    import coverage
    import pytest

    measured = coverage.Coverage(
        data_file=None, include=[str(source_of(folder, module)) for module in modules]
    )
    plugin = Reached(measured)
    measured.start()
    status = pytest.main([*OPTIONS, *tests_of(package)], plugins=[plugin])
    measured.stop()
    data = measured.get_data()
    lines = {m: data.contexts_by_lineno(str(source_of(folder, m))) for m in modules}
    Path(result).write_text(json.dumps({"lines": lines, "seconds": plugin.seconds}))
    return status


def tests_of(package):
    """Test files of a package."""
    return [f"tests/{name}" for name in TESTS[package]]


def run_tests(names):
    """Run tests until one fails."""
    import pytest

    sys.dont_write_bytecode = True
    return pytest.main([*OPTIONS, *names])


def chosen(mutant, module, reached):
    """Return the tests that reach a mutant's lines: the module's own first, then the shortest."""
    contexts = {
        context for line in mutant.lines for context in reached["lines"][module].get(str(line), [])
    }
    seconds = reached["seconds"]
    names = [n for n in seconds if contexts & {n, n.split("::")[0]}]
    if not mutant.function:  # it acts when the module is imported: all tests reach it
        return []
    own = f"test_{module.rsplit('/', 1)[1]}.py"
    return sorted(names, key=lambda name: (own not in name, seconds[name]))


def decide(folder, module, mutant, reached):
    """Whether a mutant is killed."""
    source = source_of(folder, module)
    unchanged = source.read_bytes()
    package = module.split("/")[0]
    limit = 10 + 3 * sum(reached["seconds"].values())
    source.write_text(changed_source(unchanged.decode(), mutant.number), "utf-8")
    try:
        status = 0
        if names := chosen(mutant, module, reached):
            status = forked(folder, lambda: run_tests(names), limit)
        if status in (0, 4, 5):  # 4 and 5: the tests have other names now
            status = forked(folder, lambda: run_tests(tests_of(package)), limit)
    finally:
        source.write_bytes(unchanged)
    return status != 0


def keep_deciding(folder, reached, jobs, results):
    """Decide the mutants that come in, on a copy of the tree."""
    while (job := jobs.get()) is not None:
        number, (module, mutant) = job
        results.put((number, decide(folder, module, mutant, reached[module.split("/")[0]])))


def prepared(folder, modules):
    """Try the unchanged modules, by package; return what their tests reach."""
    reached = {}
    for package in dict.fromkeys(module.split("/")[0] for module in modules):
        result, began = folder / f"{package}.json", time.monotonic()
        group = [module for module in modules if module.startswith(f"{package}/")]
        work = functools.partial(reach, folder, package, group, result)
        status = forked(folder, work, 400)
        if status != 0:
            sys.exit(f"the tests of {package} fail on the unchanged tree (status {status})")
        reached[package] = json.loads(result.read_text())
        print(f"{package}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    for module in modules:  # bytes compiled from the unchanged source are not to be taken
        for compiled in (source_of(folder, module).parent / "__pycache__").glob("*.pyc"):
            if compiled.name.split(".")[0] == module.rsplit("/", 1)[1]:
                compiled.unlink()
    return reached


def table(outcomes):
    """Lines of a table by module, and the share killed of all that change the meaning."""
    lines = ["| module | mutants | killed | survived | equal in meaning |", "|---|---|---|---|---|"]
    total = collections.Counter()
    for module, found in outcomes.items():
        count = collections.Counter(found)
        total += count
        lines.append(
            f"| {module} | {len(found)} | {count['killed']} | {count['survived']} | "
            f"{count['equal']} |"
        )
    changed = total["killed"] + total["survived"]
    share = total["killed"] / max(changed, 1)
    lines.append(f"| all | {sum(total.values())} | {total['killed']} | {total['survived']} | "
                 f"{total['equal']} |")  # fmt: skip
    return lines, share


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--each", type=int, default=7, help="mutants of each module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--modules", nargs="*", default=MODULES)
    arguments = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # half of the time of a short run
    os.environ.setdefault("GABORSCOPE_SHARED", str(ROOT.parent / "shared"))
    equal = equal_in_meaning()
    outcomes, jobs = collections.defaultdict(list), []
    for module in arguments.modules:
        found = mutants(source_of(ROOT, module).read_text("utf-8"))
        changes = {(mutant.function, mutant.before, mutant.after) for mutant in found}
        for name, *change in equal:
            if name == module and tuple(change) not in changes:
                sys.exit(f"equal.yaml has a change of {name} that is none: {' -> '.join(change)}")
        for mutant in drawn(found, arguments.each, f"{arguments.seed} {module}"):
            if (module, mutant.function, mutant.before, mutant.after) in equal:
                outcomes[module].append("equal")
            else:
                jobs.append((module, mutant))
    for name in LIBRARIES:
        __import__(name)
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        first = copied(Path(temporary) / "0")
        reached = prepared(first, arguments.modules)
        queue, results = FORK.Queue(), FORK.Queue()
        workers = []
        for core in range(arguments.cores):
            folder = Path(temporary) / str(core)
            if core:
                shutil.copytree(first, folder)
            given = folder, reached, queue, results
            workers.append(FORK.Process(target=keep_deciding, args=given))
            workers[-1].start()
        for job in [*enumerate(jobs), *[None] * arguments.cores]:
            queue.put(job)
        for done in range(1, len(jobs) + 1):
            number, killed = results.get()
            module, mutant = jobs[number]
            outcomes[module].append("killed" if killed else "survived")
            if not killed:
                where = f"{module}.py:{mutant.lines.start} in {mutant.function or 'module'}"
                print(f"survived: {where}: {mutant.kind}", flush=True)
                print(f"    {mutant.before}\n    -> {mutant.after}", flush=True)
            if done % 25 == 0:
                print(f"{done} of {len(jobs)}", file=sys.stderr)
        for worker in workers:
            worker.join()
    lines, share = table({module: outcomes[module] for module in arguments.modules})
    print("\n".join(lines))
    print(f"{100 * share:.1f} % of those that change the meaning are killed")
    sys.exit(share < LEAST)


if __name__ == "__main__":
    main()
