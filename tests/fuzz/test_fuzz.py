"""Some cases of every fuzzer; `make fuzz` runs 100,000."""

import pytest
from fuzz.driver import run
from fuzz.readers import READERS


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused(name):
    failures, _ = run(name, 0, 10 if READERS[name].slow else 40, report=lambda text: None)
    assert failures == []


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_not_all_refused(name, tmp_path):
    reader, read = READERS[name], 0
    for data in reader.seeds():
        (tmp_path / reader.name).write_bytes(data)
        try:
            reader.read(tmp_path / reader.name)
            read += 1
        except ValueError:
            pass
    assert read > 0
