"""rapidocr with its defaults, on one thread."""

from _loop import serve
from rapidocr import RapidOCR

threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
engine = RapidOCR(params={"Global.log_level": "error", **threads})


def read(data):
    result = engine(data)
    if result.boxes is None:
        return []
    return [(text, box.reshape(-1)) for text, box in zip(result.txts, result.boxes, strict=True)]


serve(read)
