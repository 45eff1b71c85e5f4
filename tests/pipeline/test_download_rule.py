"""`download: true`, run by the workflow against a server of this machine."""

import http.server
import os
import subprocess
import sys
import threading
import zipfile
from functools import partial

import pytest
import yaml
from pipeline.runs import copy_checkout
from published_files import make_toronto

from gaborscope.data import catalogue

pytestmark = pytest.mark.slow


def numbers():
    """Two numbers of images for each split."""
    found = {split: [] for split in catalogue.SPLITS}
    for number in range(1, 121):
        split = catalogue.split_of_block(catalogue.block_of(f"{number}.jpg", 10), 10)
        found[split].append(number)
    return sorted(number for own in found.values() for number in own[:2])


@pytest.fixture
def server(tmp_path):
    """Serve a folder with eyetrackingdata.zip; yield its address and the paths asked for."""
    served = tmp_path / "served"
    make_toronto(served, numbers())
    with zipfile.ZipFile(served / "eyetrackingdata.zip", "w") as file:
        for path in sorted((served / "eyetrackingdata").rglob("*")):
            file.write(path, path.relative_to(served))
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

    handler = partial(Handler, directory=served)
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}", asked
    running.shutdown()


def run(code, folder, *arguments):
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    command += ["--snakefile", str(code / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(folder / "mine.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), cwd=code)
    return done.returncode, done.stdout + done.stderr


def test_a_data_set_is_fetched_then_used(tmp_path, server):
    address, asked = server
    code = tmp_path / "code"
    copy_checkout(code)
    table = code / "scripts" / "gaborscope" / "data" / "layouts" / "archives.py"
    text = table.read_text().replace("http://www-sop.inria.fr/members/Neil.Bruce", address)
    table.write_text(text.replace('"38d5c02217060d4d2d1a4649cc632af1"', "None"))
    folder = tmp_path / "run"
    folder.mkdir()
    entry = {"type": "toronto", "path": str(tmp_path / "toronto"), "download": True}
    config = {"fit_on": "town", "evaluate_on": ["town"], "datasets": {"town": entry}}
    (folder / "mine.yaml").write_text(yaml.safe_dump(config))

    status, output = run(code, folder, "results/summary.csv")
    assert status != 0 and asked == []  # nothing else can be made before
    status, output = run(code, folder)
    assert status == 0 and "give the same command again" in output, output[-3000:]
    assert len(asked) == 1 and (tmp_path / "toronto" / "downloads.json").exists()

    status, output = run(code, folder, "--dry-run")
    assert status == 0 and "train_backbone" in output and "download_dataset" not in output
    block = catalogue.block_name(catalogue.block_of(f"{numbers()[0]}.jpg", 10), 10)
    status, output = run(code, folder, f"results/data/town/{block}.h5")
    assert status == 0 and len(asked) == 1, output[-3000:]
