"""What is asked of a SLURM that answers as one did (22.05)."""

import logging
import re
import time

import pytest

from gaborscope.errors import InputError
from gaborscope.workflow import slurm

SINFO = """cpu*|4|16000|(null)|1-00:00:00|idle|cn[1-4]|up|UNLIMITED
cpu*|64|500000|(null)|1-00:00:00|drained*|big|up|UNLIMITED
gpu|8|16000+|gpu:fake:2(S:0)|30:00|mixed|gn1|up|2
old|8|16000|gpu:2|infinite|idle|on1|inact|UNLIMITED
"""


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Put a command on the path that prints a text."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(name, text):
        (tmp_path / f"{name}.txt").write_text(text)
        path = tmp_path / name
        path.write_text(
            f"#!/bin/sh\necho $@ >> {tmp_path}/{name}.asked\ncat {tmp_path}/{name}.txt\n"
        )
        path.chmod(0o755)
        return tmp_path / f"{name}.asked"

    return write


def asked(threads=1, partition=None, **resources):
    partition = {"slurm_partition": partition} if partition else {}
    return [("train_backbone", threads, resources | partition)]


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        (asked(65), "65 CPUs asked for, and no node of the partition cpu gives more than 64; "
                    "set `cores` to 64 in the profile"),
        (asked(4, "gpu"), "gives more than 2; set `cores` to 2 in the profile"),
        (asked(mem_mb=500001), "500001 MB of memory asked .* `mem_mb` in `resources` to 500000"),
        (asked(2, mem_mb_per_cpu=300000), "600000 MB of memory asked for"),
        (asked(gpu=1), "1 GPUs asked .* gives more than 0; give it a `slurm_partition` with GPUs"),
        (asked(1, "gpu", gpu=3), "3 GPUs asked for, .* gives more than 2"),
        (asked(1, "gpu", runtime=31), "31 minutes asked .* `runtime` in `resources` to 30"),
        (asked(1, "fast"), "no partition 'fast' but cpu, gpu, old; change `slurm_partition`"),
    ],
)  # fmt: skip
def test_what_no_node_of_a_partition_gives_is_said_with_its_setting(tool, job, sentence):
    tool("sinfo", SINFO)
    with pytest.raises(InputError, match=f"^no job was submitted.*: train_backbone: .*{sentence}"):
        slurm.require_startable(job)


def test_a_job_that_fits_no_one_node_is_refused_though_each_amount_is_somewhere(tool):
    tool("sinfo", "cpu*|4|9000|(null)|1:00|idle|a|up|8\ncpu*|8|1000|(null)|1:00|idle|b|up|8\n")
    with pytest.raises(InputError, match="8 CPUs, 9000 MB of memory, .* at once"):
        slurm.require_startable(asked(8, mem_mb=9000))


def test_rules_with_one_fault_share_its_sentence(tool):
    tool("sinfo", SINFO)
    jobs = [(rule, 1, {"gpu": 1}) for rule in ("train_backbone", "substitute", "substitute")]
    with pytest.raises(
        InputError, match=r": train_backbone, substitute: 1 GPUs asked [^;]*; [^;]*$"
    ):
        slurm.require_startable(jobs)


def test_what_a_node_gives_is_asked_for_in_silence(tool):
    tool("sinfo", SINFO)
    assert slurm.require_startable([*asked(4, mem_mb=16000, runtime=1440), *asked(2, "gpu")]) == []
    assert slurm.require_startable(asked(8, "gpu,cpu")) == [
        "train_backbone: no node of the partition cpu is in service (big: drained); jobs wait"
    ]
    (sentence,) = slurm.require_startable(asked(8, "old", gpu=2, runtime=10**6))
    assert "(on1: idle, the partition inact); jobs wait" in sentence


def test_without_sinfo_nothing_is_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slurm.require_startable(asked(10**6)) == [] and slurm.jobs(tmp_path) == []


@pytest.mark.parametrize(
    ("reason", "sentence", "cancelled"),
    [
        ("PartitionConfig", "can never start .* change `cores` and `resources`", True),
        ("InvalidAccount", "change `slurm_account`", True),
        ("ReqNodeNotAvail, UnavailableNodes:gn1", "waits, and SLURM says ReqNodeNotAvail", False),
    ],
)
def test_a_job_that_stays_pending_is_said_once(tool, tmp_path, caplog, reason, sentence, cancelled):
    log = tmp_path / "results" / "logs" / "7.log"
    comment = "rule_dump_activations_wildcards_made_07"
    queue = tool("squeue", f"{7:<20}{reason:<40}{comment:<200}{log}\n")
    scancel = tool("scancel", "")
    ended = slurm.watch(tmp_path, logging.getLogger("watched"), pause=0.05)
    while not queue.exists() or len(queue.read_text().splitlines()) < 3:
        time.sleep(0.02)
    ended.set()
    (record,) = caplog.records
    assert record.message.startswith("dump_activations made_07 (SLURM job 7) ")
    assert re.search(sentence, record.message)
    assert (scancel.exists() and scancel.read_text() == "7\n") == cancelled


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("30:00", 30), ("1:30:00", 90), ("2-00:00:00", 2880), ("0:30", 1), ("infinite", 1 << 40)],
)
def test_time_limits_are_read_as_sinfo_prints_them(text, minutes):
    assert slurm._minutes(text) == minutes
