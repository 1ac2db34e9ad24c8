"""Run the drawn cases: a row per kind with counts.

`python -m benchmarks.accuracy.field [--only TEXT] [--variants N] [--out FILE] [--save FOLDER] [--quiet]`
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from benchmarks.accuracy.field.run import draw_cases, run
from benchmarks.accuracy.field.table import kinds
from benchmarks.machine import facts
from inkgate.engines.registry import open_reader


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.field", description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="kinds whose name contains this text")
    parser.add_argument("--variants", type=int, help="cases per kind (default: those of the kind)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runtime", default="onnx")
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    parser.add_argument("--save", type=Path, help="write the drawn images to this folder")
    parser.add_argument("--quiet", action="store_true", help="print no differences")
    args = parser.parse_args()

    chosen = [kind for kind in kinds() if args.only in kind.name]
    reader = open_reader(args.runtime, args.profile, 1, None, 100_000_000)
    reader.warmup()
    results = {}
    began = time.process_time()
    for kind in chosen:
        cases = draw_cases(kind, args.variants, args.seed)
        if args.save:
            _save(args.save, kind.name, [case.data for case in cases])
        faults = run(reader, cases)
        passed = faults.count("")
        results[kind.name] = {"passed": passed, "of": len(cases), "floor": kind.floor}
        print(f"{passed:3}/{len(cases):<3} {'' if passed >= kind.floor * len(cases) else '!'} {kind.name}", flush=True)
        for at, fault in enumerate(faults):
            if fault and not args.quiet:
                print(f"          {at}: {fault[:300]}")
    reader.close()
    total, count = (sum(row[key] for row in results.values()) for key in ("passed", "of"))
    print(f"{total} of {count} cases pass, {time.process_time() - began:.1f} CPU seconds")
    if args.out:
        machine = facts("onnxruntime", "numpy", "opencv-python-headless")
        result = {"machine": machine, "profile": args.profile, "seed": args.seed, "kinds": results}
        args.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _save(folder: Path, name: str, images: list[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for at, data in enumerate(images):
        suffix = "png" if data.startswith(b"\x89PNG") else "jpg"
        (folder / f"{name.replace(' ', '-')}-{at}.{suffix}").write_bytes(data)


if __name__ == "__main__":
    main()
