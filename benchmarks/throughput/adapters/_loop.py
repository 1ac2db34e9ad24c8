"""The child side of the benchmark: reads paths, answers with text lines and cost. Standard library only."""

import json
import sys
import time


def peak_mib():
    """Highest resident size of this process. (ru_maxrss begins with that of the process that started it.)"""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM:"))


def serve(read):
    """Answer each path on stdin with one JSON line. `read(bytes)` returns [(text, eight numbers), ...]."""
    out = sys.stdout
    sys.stdout = sys.stderr  # keep the output of libraries out of the answers
    for line in sys.stdin:
        with open(line.rstrip("\n"), "rb") as file:
            data = file.read()
        wall, cpu = time.perf_counter(), time.process_time()
        lines = read(data)
        cost = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        lines = [{"text": text, "box": [float(number) for number in box]} for text, box in lines]
        out.write(json.dumps({**cost, "rss_mib": peak_mib(), "lines": lines}) + "\n")
        out.flush()
