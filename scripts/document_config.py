"""Write config.yaml and docs/reference/configuration.md from the schema (make config)."""

import argparse
from pathlib import Path

from gaborscope.workflow import configuration
from gaborscope.workflow.completion import read_yaml

ROOT = Path(__file__).resolve().parents[1]


def main():
    """Write both files below a folder; the default is the repository."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT, help="folder, the repository by default")
    out = parser.parse_args().out
    schema = read_yaml(ROOT / "rules" / "config.schema.yaml")
    (out / "docs" / "reference").mkdir(parents=True, exist_ok=True)
    text = configuration.config_text(schema)
    (out / "config.yaml").write_text(text, encoding="utf-8")
    text = configuration.reference_text(schema)
    (out / "docs" / "reference" / "configuration.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
