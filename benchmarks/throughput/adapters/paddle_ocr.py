"""PaddleOCR with PP-OCRv6 small on ONNX Runtime, one thread. Argument: the folder of its two models."""

import os
import sys

os.environ["PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK"] = "True"

import cv2
import numpy as np
from _loop import serve
from paddleocr import PaddleOCR

engine = PaddleOCR(
    use_doc_orientation_classify=False,
    use_doc_unwarping=False,
    use_textline_orientation=False,
    engine="onnxruntime",
    engine_config={"intra_op_num_threads": 1},
    text_detection_model_name="PP-OCRv6_small_det",
    text_detection_model_dir=f"{sys.argv[1]}/v6_small_det",
    text_recognition_model_name="PP-OCRv6_small_rec",
    text_recognition_model_dir=f"{sys.argv[1]}/v6_small_rec",
)


def read(data):
    (result,) = engine.predict(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    return [
        (text, np.asarray(box).reshape(-1)) for text, box in zip(result["rec_texts"], result["rec_polys"], strict=True)
    ]


serve(read)
