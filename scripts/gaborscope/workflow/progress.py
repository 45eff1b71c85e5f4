"""
What a run says on the terminal: one line per finished stage, failures with their reason, the end.

Snakemake's own lines stay in its log file; --verbose or --quiet brings them back to the terminal.
No fault in here ends a run: where something is not as expected, Snakemake's own line is shown.
Standard library alone.
"""

import logging
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

OWN = {"event": "gaborscope"}  # of our own records: not hidden, and not coloured as a warning
HIDDEN_EVENTS = {
    "run_info", "workflow_started", "shellcmd", "job_info", "job_started", "job_finished",
    "group_info", "resources_info", "progress",
}  # fmt: skip
HIDDEN = re.compile(
    r"Select jobs to execute|Building DAG of jobs|Using shell: |Group jobs: inactive|host: "
    r"|Conda environments: ignored|Singularity containers: ignored|Storing output in storage"
    r"|Assuming unrestricted shared|Job \d+ has been submitted|Job rate limit reached"
    r"|Config file .* additional config|Removing temporary output|Elapsed time: "
    r"|RuleException:\n(CalledProcess|SpawnedJob)Error"
)
LAST = "Complete log(s): "  # Snakemake's last line but one, after onsuccess
NOTHING = "Nothing to be done"
MOST_LINES = 30  # of what a failed job says
PAUSE = 600  # seconds without a line, after which one is printed within a stage


class Progress(logging.Filter):
    """
    Filter of the terminal's log handler that says less, and how far the run has come.

    Parameters
    ----------
    log : logging.Logger
        Snakemake's.
    at_end : callable
        Called where nothing is to be done; after a run `onsuccess` speaks.
    jobs_log : Path or None
        File that gets what local jobs write to the terminal otherwise.
    snakemake_log : Path or None
        File that has Snakemake's own lines.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self,
        log: logging.Logger,
        at_end: Callable[[], None],
        jobs_log: Path | None = None,
        snakemake_log: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.log, self.at_end, self.clock = log, at_end, clock
        self.snakemake_log, self.jobs_log = snakemake_log, jobs_log
        self.stages: dict[int, str] = {}
        self.costs: dict[int, float] = {}
        self.left: Counter[str] = Counter()
        self.total: Counter[str] = Counter()
        self.began: dict[str, float] = {}
        self.done = 0.0
        self.failed = False
        self.started = self.said = clock()
        self.started_at = time.time()

    def plan(self, jobs: Iterable[tuple[int, str, float]]) -> None:
        """
        Take note of the jobs of the run.

        Parameters
        ----------
        jobs : iterable of (int, str, float)
            Snakemake's number, the stage, the expected seconds.
        """
        for number, stage, seconds in jobs:
            self.stages[number], self.costs[number] = stage, seconds
        self.total = Counter(self.stages.values())
        self.left = self.total.copy()
        self.started = self.said = self.clock()

    def outlook(self) -> str:
        """
        Return the first line: what there is to do, and where the log is.

        How long it will take is said when the first stage is complete: the costs of the stages are
        known beside each other, but not for a machine.

        Returns
        -------
        line : str
        """
        line = f"{len(self.stages)} jobs in {len(self.total)} stages"
        return f"{line}; log {self.snakemake_log}" if self.snakemake_log else line

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether Snakemake's own line is shown; say what takes its place."""
        try:
            return self._shown(record)
        except Exception:  # a run is worth more than what is said of it
            return True

    def _shown(self, record):
        event = str(getattr(record, "event", None) or "")
        if event == OWN["event"]:
            return True
        if event == "job_info":
            self.began.setdefault(self.stages.get(record.jobid, ""), self.clock())
        elif event == "job_finished":
            self._finish(record.job_id)
        elif event == "job_error":
            self.failed = True
            return not self._tell_failure(record)
        text = str(record.msg or "")
        if text.startswith(NOTHING):
            self.log.info(text, extra=OWN)
            self.at_end()
            return False
        if text.startswith(LAST):
            return self.failed
        return event not in HIDDEN_EVENTS and not HIDDEN.match(text)

    def _finish(self, number):
        """Count a finished job; say so if its stage is complete, or nothing was said for long."""
        stage = self.stages.get(number)
        if stage is None:
            return
        del self.stages[number]
        self.left[stage] -= 1
        self.done += self.costs[number]
        now = self.clock()
        complete = self.left[stage] == 0
        if not complete and now - self.said <= PAUSE:
            return
        self.said = now
        everything = sum(self.costs.values())
        share = self.done / everything if everything else 1.0
        jobs, made = self.total[stage], self.total[stage] - self.left[stage]
        count = f"{jobs} job{'s' * (jobs != 1)}" if complete else f"{made} of {jobs} jobs"
        line = f"{100 * share:3.0f} %  {stage}: {count}"
        if complete:
            took = duration(now - self.began.get(stage, self.started))
            line += f" in {took}" if jobs == 1 else f", {took} from first to last"
        left = (now - self.started) * (1 / share - 1) if share else 0.0
        if left >= 1:
            line += f", about {duration(left)} left"
        self.log.info(line, extra=OWN)

    def _tell_failure(self, record):
        """Say which job failed, where its log is and why; return whether that could be said."""
        where = [path for path in map(Path, record.log) if self._written(path)]
        reason = said_last(where[0]) if where else []
        if not reason and self.jobs_log and self.jobs_log.is_file():
            reason = said_last(self.jobs_log)
        told = [str(record.rule_msg)] if record.rule_msg else []
        logs = ", ".join(record.log) or "none"
        outputs = ", ".join(record.output)
        head = f"error: a job of {record.rule_name} failed (output {outputs}; log {logs})"
        self.log.error("\n".join([head, *told, *reason]), extra=OWN)
        return True

    def _written(self, path):
        """Whether this run has written a file, not one before it."""
        return path.is_file() and path.stat().st_mtime >= self.started_at - 2


def said_last(path: Path) -> list[str]:
    """
    Return what a log says of a failure.

    Parameters
    ----------
    path : Path

    Returns
    -------
    lines : list of str
        From the last error on, else the last lines; at most `MOST_LINES`.
    """
    found = path.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [
        i for i, line in enumerate(found) if re.search(r"\] (error: |unexpected error)", line)
    ]
    return found[errors[-1] :][:MOST_LINES] if errors else found[-MOST_LINES:]


def duration(seconds: float) -> str:
    """
    Return a time in words, two digits of it.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    words : str
        Such as "48 s", "12 min" and "3 h 20 min".
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def install(log: logging.Logger, settings: Any, at_end: Callable[[], None]) -> Progress | None:
    """
    Put the filter on the terminal's handler of Snakemake's log.

    Parameters
    ----------
    log : logging.Logger
    settings : Snakemake's output settings
        With `verbose` or `quiet` nothing is done: the user has said what to see.
    at_end : callable
        See `Progress`.

    Returns
    -------
    progress : Progress or None
        None where Snakemake's own lines are shown.
    """
    if settings.verbose or settings.quiet or settings.dryrun or settings.debug_dag:
        return None
    handlers = {handler.name: handler for handler in log.handlers}
    terminal, file = (handlers.get(f"Default{name}Handler") for name in ("Stream", "LogFile"))
    if terminal is None:
        return None
    path = Path(file.baseFilename) if isinstance(file, logging.FileHandler) else None
    jobs_log = path.with_name(path.name.replace(".snakemake.log", ".jobs.log")) if path else None
    progress = Progress(log, at_end, jobs_log, path)
    terminal.addFilter(progress)
    return progress


def diverted(path: Path | None) -> str | None:
    """
    Return the beginning of shell commands by which local jobs write into a file, not the terminal.

    Parameters
    ----------
    path : Path or None
        The file; jobs append to it.

    Returns
    -------
    prefix : str or None
        With Snakemake's own settings of the shell. None without a file or bash.
    """
    if path is None or not shutil.which("bash"):
        return None
    quoted = "'" + str(path).replace("'", "'\\''") + "'"
    return f"set -euo pipefail; exec 2>>{quoted}; ".replace("{", "{{").replace("}", "}}")
