"""A stage that cannot write ends in one sentence, exit status 1."""

import errno
import logging
import types

import pytest

from gaborscope.workflow.stage import run_stage


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Run a stage as a script does, where nothing logs yet."""

    def run(main, log=tmp_path / "x.log"):
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        monkeypatch.setattr(logging, "raiseExceptions", True)
        smk = types.SimpleNamespace(
            rule="score", wildcards={}, threads=1, params={}, log=[str(log)], output=["out.csv"]
        )
        run_stage(main, smk)

    return run


@pytest.mark.parametrize(
    "code, sentence",
    [
        (errno.ENOSPC, "out.csv cannot be written (No space left on device); make room and run"),
        (errno.EDQUOT, "out.csv cannot be written (Disk quota exceeded); make room and run again"),
        (errno.EROFS, "out.csv cannot be written (Read-only file system); change the rights or"),
    ],
)
def test_an_error_of_writing_is_one_sentence(stage, tmp_path, code, sentence):
    def main(_):
        raise OSError(code, "whatever")

    with pytest.raises(SystemExit) as ended:
        stage(main)
    assert ended.value.code == 1
    text = (tmp_path / "x.log").read_text()
    assert sentence in text and "Traceback" not in text


def test_an_error_of_the_program_keeps_its_traceback(stage, tmp_path):
    with pytest.raises(SystemExit):
        stage(lambda _: 1 / 0)
    assert "Traceback" in (tmp_path / "x.log").read_text()


def test_a_log_that_cannot_be_written_is_named(stage, tmp_path):
    with pytest.raises(SystemExit, match=r"cannot be written \(Is a directory\)"):
        stage(lambda _: None, log=tmp_path)
