"""Boxes with labels, drawn by ``supervision``."""

from collections.abc import Sequence

import numpy as np

from .panels import FONT_PATH

#: RGB colour of a box and of its label's background.
BOX = (255, 220, 0)


def draw_boxes(
    image: np.ndarray, boxes: np.ndarray, labels: Sequence[str] | None = None, thickness: int | None = None
) -> np.ndarray:
    """Draw boxes (N, 4) xyxy px into an image (H, W, 3) uint8 RGB, in place; it is also returned.

    Labels, one text per box, are drawn above its top left corner or where there is room; '' = none.  The thickness of
    lines, px, is by default that for the size of the image.
    """
    import supervision as sv  # slow to import

    boxes = np.clip(np.asarray(boxes, np.float32).reshape(-1, 4), -9999, 9999).round()
    size = max(image.shape[:2])
    colour = sv.Color(*BOX[::-1])  # supervision draws BGR
    detections = sv.Detections(xyxy=boxes)
    sv.BoxAnnotator(colour, thickness or max(1, round(size / 400)), sv.ColorLookup.INDEX).annotate(image, detections)
    texts = list(labels or ())
    labelled = [i for i, text in enumerate(texts) if text]
    if labelled:
        annotator = sv.RichLabelAnnotator(
            colour,
            sv.ColorLookup.INDEX,
            text_color=sv.Color.BLACK,
            font_path=FONT_PATH,
            font_size=max(13, size // 60),
            text_padding=max(3, size // 250),
            smart_position=True,
        )
        annotator.annotate(image, detections[labelled], [texts[i] for i in labelled])
    return image
