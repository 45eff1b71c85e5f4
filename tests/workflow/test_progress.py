"""What a run says on the terminal."""

import logging
import os
import re
import subprocess
import time
import types

import pytest

from gaborscope.workflow import progress


class Clock:
    """A clock that stands until it is moved."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def told(tmp_path):
    """A logger like Snakemake's with the filter on its terminal: progress, log, lines, clock."""
    log = logging.Logger("snakemake-like", logging.INFO)
    lines, clock, ended = [], Clock(), []
    terminal = logging.Handler()
    terminal.emit = lambda record: lines.append(str(record.msg))
    made = progress.Progress(
        log, lambda: ended.append(True), tmp_path / "jobs.log", tmp_path / "snakemake.log", clock
    )
    terminal.addFilter(made)
    log.addHandler(terminal)
    made.plan([(0, "fit", 10.0), (1, "fit", 10.0), (2, "score", 20.0)])
    return types.SimpleNamespace(
        progress=made, log=log, lines=lines, clock=clock, ended=ended, folder=tmp_path
    )


def finish(told, number, after=0.0):
    told.log.info("", extra={"event": "job_info", "jobid": number})
    told.clock.now += after
    told.log.info(f"Finished jobid: {number}", extra={"event": "job_finished", "job_id": number})


def test_a_stage_says_one_line_when_its_last_job_is_done(told):
    finish(told, 1, 30)
    assert not told.lines
    finish(told, 0, 30)
    (line,) = told.lines
    assert re.fullmatch(r" *50 %  fit: 2 jobs, 60 s from first to last, about 60 s left", line)


def test_shares_are_those_of_the_cost_not_of_the_jobs(told):
    finish(told, 2, 10)
    assert told.lines[0].split()[:2] == ["50", "%"]  # 1 of 3 jobs, 20 of 40 s


def test_a_long_stage_says_how_far_it_is(told):
    finish(told, 0, progress.PAUSE + 1)
    assert "fit: 1 of 2 jobs" in told.lines[0]


def test_the_first_line_counts_and_promises_no_time(told):
    assert told.progress.outlook().partition(";")[0] == "3 jobs in 2 stages"


@pytest.mark.parametrize(
    "text", ["Select jobs to execute...", "Job 3 has been submitted with SLURM jobid 7 (log: a)."]
)
def test_snakemakes_chatter_is_not_shown(told, text):
    told.log.info(text)
    told.log.info("job 3", extra={"event": "job_info", "jobid": 0})
    assert not told.lines


def test_warnings_and_what_is_not_known_are_shown(told):
    told.log.warning("config: old key")
    told.log.info("Creating conda environment envs/torch.yaml...")
    assert told.lines == ["config: old key", "Creating conda environment envs/torch.yaml..."]


def failure(told, log):
    told.log.error(
        "Error in rule fit",
        extra={
            "event": "job_error", "rule_name": "fit", "rule_msg": None, "log": [str(log)],
            "output": ["results/fit.h5"], "jobid": 0,
        },
    )  # fmt: skip


def test_a_failed_job_says_its_log_and_its_sentence(told):
    log = told.folder / "fit.log"
    log.write_text("[fit a] 3 stimuli\n[fit a] error: b.png is no image\n", encoding="utf-8")
    failure(told, log)
    (line,) = told.lines
    assert "fit failed" in line and str(log) in line and line.endswith("error: b.png is no image")
    assert "3 stimuli" not in line


def test_a_log_of_a_run_before_does_not_speak_for_this_one(told):
    log = told.folder / "fit.log"
    log.write_text("[fit a] error: of yesterday\n", encoding="utf-8")
    os.utime(log, (time.time() - 3600,) * 2)
    (told.folder / "jobs.log").write_text("ImportError: no torch\n", encoding="utf-8")
    failure(told, log)
    assert told.lines[0].endswith("ImportError: no torch")


def test_the_log_is_named_at_the_end_of_a_failed_run_alone(told):
    told.log.info("Complete log(s): a.log")
    assert not told.lines
    failure(told, told.folder / "none.log")
    told.log.info("Complete log(s): a.log")
    assert told.lines[-1] == "Complete log(s): a.log"


def test_where_nothing_is_to_be_done_the_end_is_told(told):
    told.log.info("Nothing to be done (all requested files are present and up to date).")
    assert told.ended and len(told.lines) == 1


def test_a_fault_of_the_reporting_shows_snakemakes_own_line(told):
    told.log.info("Finished", extra={"event": "job_finished"})  # without a number
    assert told.lines == ["Finished"]


@pytest.mark.parametrize("given", ["verbose", "quiet", "dryrun", "debug_dag"])
def test_who_asks_for_snakemakes_output_gets_it(told, given):
    settings = dict.fromkeys(("verbose", "quiet", "dryrun", "debug_dag"), False) | {given: True}
    assert progress.install(told.log, types.SimpleNamespace(**settings), print) is None


@pytest.mark.parametrize("name", ["plain", "it's {odd} $HOME"])
def test_jobs_write_into_their_log_wherever_it_is(tmp_path, name):
    path = tmp_path / name / "jobs.log"
    path.parent.mkdir()
    prefix = progress.diverted(path).format()  # as Snakemake does
    done = subprocess.run(
        ["bash", "-c", f"{prefix}echo said >&2"], capture_output=True, text=True, check=True
    )
    assert done.stderr == "" and path.read_text(encoding="utf-8") == "said\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(48, "48 s"), (150, "2 min"), (12000, "3 h 20 min")]
)
def test_times_are_said_in_two_digits(seconds, words):
    assert progress.duration(seconds) == words
