"""agentclpr's plates with its defaults, on one thread."""

import logging

import cv2
import numpy as np
import onnxruntime
from _loop import serve

threads = onnxruntime.SessionOptions()
threads.intra_op_num_threads = 1
session = onnxruntime.InferenceSession


def narrow(*args, **kwargs):
    """It opens its networks with the defaults of ONNX Runtime, which are all cores."""
    kwargs["sess_options"] = threads
    return session(*args, **kwargs)


onnxruntime.InferenceSession = narrow
from agentclpr import CLPSystem  # noqa: E402

logging.disable(logging.INFO)
cv2.setNumThreads(1)
engine = CLPSystem()


def read(data):
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    try:
        found = engine(picture)
    except cv2.error:  # a plate at the border of the picture
        found = []
    return [(text, np.asarray(box).reshape(-1)) for box, (text, _) in found]


serve(read)
