"""
Maps of concepts on photographs, by detectors that lie with their weights inside PyPI wheels.

    pip install dlib-bin rapidocr-onnxruntime==1.4.4     # not among the requirements of Gaborscope
    python examples/concept_maps.py faces PHOTOGRAPHS MAPS/faces
    python examples/concept_maps.py text PHOTOGRAPHS MAPS/text

`faces` are found by dlib's frontal detector (histograms of oriented gradients, fitted to labelled
faces), `text` by PP-OCRv4: what its detector finds and its reader is sure of. Neither has ever seen
a fixation. Each photograph gets a grey PNG of its name and size: 255 inside of what was found, 0
elsewhere. A photograph that has its map already is skipped, so the command may be given again.
`concepts: {faces: {maps: MAPS/faces}}` in a config takes the maps, see examples/osie_concepts.yaml.

Any other program will do that writes such maps, but no trained saliency model: it would explain
fixations by fixations.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")


def faces():
    """Return a function that draws an ellipse into the frame of each face of an RGB array."""
    import dlib

    detect = dlib.get_frontal_face_detector()

    def draw(rgb, canvas):
        found = detect(rgb, 1)  # enlarged once: faces from 40 px on
        for face in found:
            canvas.ellipse((face.left(), face.top(), face.right(), face.bottom()), fill=255)
        return len(found)

    return draw


def text():
    """Return a function that fills the quadrangle of each line of text of an RGB array."""
    from rapidocr_onnxruntime import RapidOCR

    # the detector alone takes flowers, forks and meat for text
    read = RapidOCR(text_score=0.8, intra_op_num_threads=1, inter_op_num_threads=1)

    def draw(rgb, canvas):
        found, _ = read(np.ascontiguousarray(rgb[..., ::-1]))
        for corners, *_ in found or ():
            canvas.polygon([tuple(point) for point in corners], fill=255)
        return len(found or ())

    return draw


def main(concept, photographs, maps):
    """Write a map of each photograph that has none."""
    draw = {"faces": faces, "text": text}[concept]()
    for path in sorted(photographs.rglob("*")):
        target = maps / path.relative_to(photographs).with_suffix(".png")
        if path.suffix.lower() not in EXTENSIONS or target.exists():
            continue
        photograph = Image.open(path).convert("RGB")
        grey = Image.new("L", photograph.size)
        n = draw(np.asarray(photograph), ImageDraw.Draw(grey))
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".part")
        grey.save(unfinished, format="png")
        os.replace(unfinished, target)
        print(f"{path.name}: {n} {concept}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("concept", choices=("faces", "text"))
    parser.add_argument("photographs", type=Path, help="folder of photographs")
    parser.add_argument("maps", type=Path, help="folder to write to")
    given = parser.parse_args()
    main(given.concept, given.photographs, given.maps)
