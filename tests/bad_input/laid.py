"""Lay a config of the catalogue over the one that comes with Gaborscope, as a run does."""

from pathlib import Path

from gaborscope.workflow import config_files, settings
from gaborscope.workflow.completion import overlay, read_yaml

ROOT = Path(__file__).resolve().parents[2]


def settled(content, show=None):
    """
    Return a use that settles a config file with this content, text or bytes.

    `{folder}` in a text becomes the folder; `show` takes the complete config and returns the value
    that the docs print.
    """

    def use(folder):
        path = folder / "mine.yaml"
        text = content.replace("{folder}", str(folder)) if isinstance(content, str) else content
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        config = overlay(read_yaml(ROOT / "config.yaml"), config_files.read(path))
        settings.settle(config, ROOT, [])
        return show(config) if show else config

    return use
