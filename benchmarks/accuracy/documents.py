"""Accuracy on identity cards and business licences of a labelled set, by field and by capture condition.

    python -m benchmarks.accuracy.documents --set DIR [--json FILE] [--gallery DIR] [--sandbox | --server URL]

DIR holds images and labels.jsonl, one object an image:
  {"file", "doc": "idcard", "cond": [...], "faces": [{"note", "detail"}]}
  {"file", "doc": "bizlicense", "cond": [...], "license_type", "detail"}
  {"file", "doc": "none", "cond": [...]}
A value is correct when it equals the label after blanks are removed and full-width punctuation is folded. For a card
only the fields printed on that side are scored; for a licence all fields are, so an invented value counts as an error.
An image of both sides of a card counts as two sides.
With --sandbox a server is started on this machine and the images are sent to it in signed requests; with --server they
are sent to a running one, with the keys AK, SK and APPKEY from the environment. Otherwise the engine runs in this
process on one thread, and CPU seconds per image are reported. The gallery shows every image with an error, its labels
and its answers; --gallery must name a folder outside the repository.
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import html
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from benchmarks.machine import facts
from inkgate.engines.idcard import read_idcard
from inkgate.engines.imaging import decode
from inkgate.engines.licence import read_licence
from inkgate.engines.registry import open_text_engine
from inkgate.service.contract.capabilities import LICENCE

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
CARD = ("name", "sex", "nation", "birthday", "idn", "addr", "org", "validperiod")
EMBLEM = ("org", "validperiod")
LICENCE_FIELDS = tuple(each.name for each in LICENCE.fields)
FOLD = str.maketrans(
    {"（": "(", "）": ")", "，": ",", "：": ":", "；": ";", " ": None, "\u3000": None, "•": "·", "．": "."}
)
Answer = dict[str, Any]


@dataclasses.dataclass
class Tally:
    """Correct and scored values by field, whole documents by condition, the errors, and CPU seconds by document."""

    right: Counter[str] = dataclasses.field(default_factory=Counter)
    counted: Counter[str] = dataclasses.field(default_factory=Counter)
    conditions: dict[str, list[bool]] = dataclasses.field(default_factory=lambda: defaultdict(list))
    wrong: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    seconds: dict[str, list[float]] = dataclasses.field(default_factory=lambda: defaultdict(list))

    def add(self, key: str, right: bool) -> bool:
        self.right[key] += right
        self.counted[key] += 1
        return right

    def whole(self, kind: str, conditions: list[str], right: bool) -> None:
        self.add(f"{kind} WHOLE", right)
        for condition in conditions:
            self.conditions[f"{kind} {condition}"].append(right)


def same(a: str | None, b: str | None) -> bool:
    return (a or "").translate(FOLD) == (b or "").translate(FOLD)


def judge(tally: Tally, label: Answer, card: Answer | None, licence: Answer | None) -> None:
    """Score the answers for one image against its label."""
    faults: list[tuple[str, str, str]] = []
    if label["doc"] == "none":
        said = bool(card and card["note"]) or bool(licence and licence["is_licence"])
        tally.add("negatives", not said)
        faults = [("negative", "", json.dumps([card, licence], ensure_ascii=False))] if said else []
    elif label["doc"] == "idcard":
        faults = [fault for face in label["faces"] for fault in _face(tally, label, face, card or {})]
    else:
        faults = _licence(tally, label, licence or {})
    if faults:
        tally.wrong.append({"file": label["file"], "conditions": label["cond"], "faults": faults})


def _face(tally: Tally, label: Answer, face: Answer, card: Answer) -> list[tuple[str, str, str]]:
    both = len(label["faces"]) > 1
    note_right = card.get("note") == ("back" if both else face["note"])
    faults = [] if note_right else [("note", face["note"], card.get("note", ""))]
    for key in CARD:
        truth = face["detail"][key]
        if truth:
            right = tally.add(f"idcard {key}", note_right and same(truth, card.get(key)))
            tally.add("idcard FIELDS", right)
            if not right:
                faults.append((key, truth, card.get(key, "")))
    tally.whole("idcard", label["cond"], not faults)
    return faults


def _licence(tally: Tally, label: Answer, licence: Answer) -> list[tuple[str, str, str]]:
    faults = []
    if not licence.get("is_licence"):
        faults.append(("license_type", label["license_type"], "Not Business License"))
    for key in LICENCE_FIELDS:
        truth = label["detail"].get(key) or ""
        right = tally.add(f"licence {key}", same(truth, licence.get(key)))
        tally.add("licence FIELDS", right)
        if not right:
            faults.append((key, truth, licence.get(key) or ""))
    form = label.get("meta", {}).get("grid")
    tally.whole("licence", label["cond"] + ([form] if form else []), not faults)
    return faults


def local_readers(profile: str) -> tuple[Callable[[bytes], Answer], Callable[[bytes], Answer]]:
    """Identity card and licence readers over an engine in this process, one thread."""
    engine = open_text_engine("onnx", profile, 1, None)
    engine.warmup()
    return (
        lambda data: dataclasses.asdict(read_idcard(engine, decode(data, 50_000_000))),
        lambda data: dataclasses.asdict(read_licence(engine, decode(data, 50_000_000))),
    )


@contextmanager
def sandbox(profile: str) -> Iterator[str]:
    """Runs a sandbox with one worker and yields its base URL. AK, SK and APPKEY are set in the environment."""
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "env"
        command = [sys.executable, "-m", "inkgate.service.cli", "sandbox", "--qps", "1000", "--env-file", str(keys)]
        server = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"INKGATE_ENGINE__PROFILE": profile}, stdout=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not keys.exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("the sandbox did not start")
                time.sleep(0.2)
            values = dict(line.split("=", 1) for line in keys.read_text("utf8").splitlines() if "=" in line)
            os.environ.update({key: values[key].strip("'\"") for key in ("AK", "SK", "APPKEY")})
            yield values["BASE_URL"].strip("'\"")
        finally:
            server.terminate()
            server.wait(30)


def server_readers(url: str) -> tuple[Callable[[bytes], Answer], Callable[[bytes], Answer]]:
    """The same readers over a running server, through the Python client of this repository."""
    sys.path.insert(0, str(ROOT / "clients" / "python" / "src"))
    from inkgate_client import Client

    client = Client(url, ak=os.environ["AK"], sk=os.environ["SK"], appkey=os.environ["APPKEY"])

    def card(data: bytes) -> Answer:
        (answer,) = client.idcard(data)
        return dataclasses.asdict(answer)

    return card, lambda data: dataclasses.asdict(client.licence(data))


def run(folder: Path, card: Callable[[bytes], Answer], licence: Callable[[bytes], Answer]) -> Tally:
    tally = Tally()
    for line in (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        data = (folder / label["file"]).read_bytes()
        answers: dict[str, Answer | None] = {"idcard": None, "bizlicense": None}
        for doc, reader in (("idcard", card), ("bizlicense", licence)):
            if label["doc"] in (doc, "none"):
                began = time.process_time()
                answers[doc] = reader(data)
                if label["doc"] == doc:
                    tally.seconds[doc].append(time.process_time() - began)
        judge(tally, label, answers["idcard"], answers["bizlicense"])
    return tally


def summary(tally: Tally, folder: Path, server: str | None) -> dict[str, Any]:
    result: dict[str, Any] = {
        "set": folder.name,
        "fields": {k: {"right": tally.right[k], "of": n} for k, n in tally.counted.items()},
        "conditions": {k: {"whole": sum(v), "of": len(v)} for k, v in sorted(tally.conditions.items())},
    }
    if server is None:
        result["cpu_seconds"] = {
            doc: {"median": round(statistics.median(v), 3), "mean": round(statistics.fmean(v), 3)}
            for doc, v in tally.seconds.items()
        }
    return result | {"through": server or "engine, one thread", "machine": facts("onnxruntime", "numpy")}


def table(result: dict[str, Any]) -> str:
    rows = [
        f"{key:28s}{v['right']:5d} / {v['of']:<5d}{100 * v['right'] / v['of']:6.1f} %"
        for key, v in result["fields"].items()
    ]
    rows += ["", "whole documents by condition"]
    rows += [f"  {key:26s}{v['whole']:5d} / {v['of']:<5d}" for key, v in result["conditions"].items()]
    return "\n".join([*rows, "", json.dumps(result.get("cpu_seconds", {}))])


def gallery(tally: Tally, data: Path, folder: Path) -> None:
    """Write every image with an error, its labels and its answers to one HTML file in `folder`."""
    if ROOT in [folder.resolve(), *folder.resolve().parents]:
        raise SystemExit("--gallery must lie outside the repository: it shows documents")
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for one in tally.wrong:
        image = cv2.imread(str(data / one["file"]))
        scale = 640 / max(image.shape[:2])
        _, encoded = cv2.imencode(".jpg", cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        cells = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in fault) + "</tr>"
            for fault in one["faults"]
        )
        title = html.escape(f"{one['file']}  {' '.join(one['conditions'])}")
        source = base64.b64encode(encoded.tobytes()).decode()
        parts.append(
            f'<h3>{title}</h3><img src="data:image/jpeg;base64,{source}">'
            f"<table><tr><th>field<th>truth<th>reading</tr>{cells}</table>"
        )
    style = "<style>table{border-collapse:collapse}td,th{border:1px solid #999;padding:2px 8px}</style>"
    page = f"<!doctype html><meta charset=utf-8>{style}" + "\n".join(parts)
    (folder / "documents.html").write_text(page, "utf8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, required=True, dest="folder")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--server", help="base URL of a running server; without one the engine runs here")
    where.add_argument("--sandbox", action="store_true", help="start a server for this run and go through it")
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--gallery", type=Path)
    options = parser.parse_args()
    if options.sandbox:
        with sandbox(options.profile) as url:
            tally = run(options.folder, *server_readers(url))
    else:
        readers = server_readers(options.server) if options.server else local_readers(options.profile)
        tally = run(options.folder, *readers)
    result = summary(tally, options.folder, "a sandbox of its own" if options.sandbox else options.server)
    print(table(result))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf8")
    if options.gallery:
        gallery(tally, options.folder, options.gallery)


if __name__ == "__main__":
    main()
