"""Deep saliency networks: build them, train them, record their layers (needs torch)."""

from gaborscope.backbones.backbone import build

__all__ = ["build"]
