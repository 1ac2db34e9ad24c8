"""agentclpr's plates with its defaults, on one thread."""

import logging

import cv2
import numpy as np
import onnxruntime
from _loop import serve

threads = onnxruntime.SessionOptions()
threads.intra_op_num_threads = 1
session = onnxruntime.InferenceSession


def single_threaded_session(*args, **kwargs):
    """An ONNX Runtime session on one thread; agentclpr itself uses the default, all cores."""
    kwargs["sess_options"] = threads
    return session(*args, **kwargs)


onnxruntime.InferenceSession = single_threaded_session
from agentclpr import CLPSystem  # noqa: E402

logging.disable(logging.INFO)
cv2.setNumThreads(1)
engine = CLPSystem()


def read(data):
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    try:
        found = engine(image)
    except cv2.error:  # a plate at the border of the image
        found = []
    return [(text, np.asarray(box).reshape(-1)) for box, (text, _) in found]


serve(read)
