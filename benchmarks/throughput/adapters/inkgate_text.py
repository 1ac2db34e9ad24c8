"""InkGate's own engine. Argument: profile."""

import sys

from _loop import serve

sys.path.insert(0, ".")

from inkgate.engines.registry import open_reader

reader = open_reader("onnx", sys.argv[1], 1, None, 100_000_000)


def read(data):
    return [
        (line.text, [number for point in line.quad for number in point]) for line in reader.read("general", data).lines
    ]


serve(read)
