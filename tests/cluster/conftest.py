"""A SLURM of two nodes on this machine, for as long as the tests run."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def slurm():
    """Bring up the cluster; skip, saying why, where it cannot be."""
    missing = [tool for tool in ("sbatch", "slurmctld", "munged") if not shutil.which(tool)]
    if missing:
        pytest.skip(
            f"no SLURM here ({', '.join(missing)} not installed); on Debian: apt-get install "
            "--no-install-recommends munge slurm-wlm slurmdbd mariadb-server"
        )
    # not pytest's own folder, which others cannot enter: munge's socket lies in it
    base = Path(tempfile.mkdtemp(prefix="gaborscope-slurm-"))
    base.chmod(0o755)
    os.environ["SLURM_BASE"] = str(base)
    os.environ["SLURM_CONF"] = str(base / "etc" / "slurm.conf")
    up = subprocess.run([HERE / "slurm_up.sh"], capture_output=True, text=True)
    if up.returncode == 3:
        pytest.skip(up.stderr.strip())
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        yield base
    finally:
        subprocess.run([HERE / "slurm_down.sh"], check=False)
        shutil.rmtree(base, ignore_errors=True)
