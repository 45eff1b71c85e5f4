"""Deep saliency networks: built by name, trained, opened, recorded (torch)."""

from gaborscope.backbones.backbone import build

__all__ = ["build"]
