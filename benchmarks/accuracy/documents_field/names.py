"""Personal names with rare characters, and ordinary ones, as drawn strips: how many are read and corrected.

    python -m benchmarks.accuracy.documents_field.names [--count N] [--json FILE] [--show]

Both sets have N names (500). "before" is the text of the recogniser, "after" that of `correct_name`; a false change
is a name that was right before and is wrong after.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.accuracy.documents_field.drawing import Sheet
from benchmarks.machine import facts
from inkgate.engines.document.chars import normalise
from inkgate.engines.document.labels import TextSegment
from inkgate.engines.document.names import correct_name
from inkgate.engines.document.scan import Strip
from inkgate.engines.interfaces import TextEngine
from inkgate.engines.registry import open_text_engine
from inkgate.engines.types import CharacterCandidates, Image, Quad

SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡林郭何高罗郑梁谢宋唐许邓冯韩曹"
RARE_SURNAMES = "逄麴郗郄亓仝逯鄢邴厍庹昝缪蔺雒佘阚晁"
RARE = (
    "赟㛃骉䶮崟皛翀琎龑曌埇湉烜珩昶彧翯弢垚犇燚焱喆晢祎祐禛璟璠瑀瑄玥珺琰琤璩璨昉晔暐暄炘烨煊熠燊劼勍勰姈婳妤嬿翾翛翙翚聿芃"
    "苡荃莳菡蓁蕤蘅虓袆谡豳赪轶逖邈钊钰铖锳镕闿雱霁霈韫顼颢飏骁骐骞骢骦鲲鹍黻"
    "堃砚珣琮瑢璈璘晞曈曦昳旻旸晗淏溁滢潆澔濛灏炜焜煜"
)
COMMON = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红玲芬"
    "燕彬颖慧莹雪琳晶妍茜婷玥鑫浩宇轩然凯俊峰建国志文博思远雨桐"
)
FACES = ("sans", "serif", "bold")


def names(rare: bool, count: int, seed: int = 7) -> Iterator[str]:
    """`count` names; with `rare`, one character of each is rare, once in six the surname."""
    r = random.Random(seed)
    for i in range(count):
        surname, given = r.choice(SURNAMES), r.sample(COMMON, r.choice((1, 2, 2)))
        if rare and i % 6 == 5:
            surname = RARE_SURNAMES[i // 6 % len(RARE_SURNAMES)]
        elif rare:
            given[r.randrange(len(given))] = RARE[i % len(RARE)]
        yield surname + "".join(given)


def strip(name: str, index: int) -> Image:
    """A name as a camera sees it: 28 to 44 pixels high, slightly blurred and noisy."""
    r = np.random.default_rng(index)
    s = Sheet(3.6 * len(name) + 2, 4.6, 16)
    s.text(1, 2.3, name, 3.3, FACES[index % len(FACES)], gap=0.3)
    image = s.image()
    scale = r.uniform(28, 44) / image.shape[0]
    image = cv2.GaussianBlur(
        cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), (0, 0), r.uniform(0.3, 1.1)
    )
    return np.asarray((image + r.normal(0, 6, image.shape)).clip(0, 255), np.uint8)


def read(engine: TextEngine, image: Image) -> tuple[str, str]:
    """The recogniser's text of a strip, and the corrected one."""
    ((text, score),) = engine.recognise([image])
    before = normalise(text)
    height, width = image.shape[:2]
    quad: Quad = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    segment = TextSegment(
        None, before, 0, width, height / 2, height, Strip(quad, 0, width, height / 2, height, 0.0, before, score)
    )

    def candidates(_: Quad) -> Iterable[CharacterCandidates]:
        (choices,) = engine.candidates([image])
        yield [options for options in choices if options and normalise(options[0][0])]

    return before, correct_name(before, segment, candidates)


def main(engine: TextEngine | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--show", action="store_true", help="print the names that are wrong after correction")
    options = parser.parse_args()
    engine = engine or open_text_engine("onnx", "balanced", 1, None)
    result: dict[str, dict[str, int]] = {}
    for kind, rare in (("rare", True), ("ordinary", False)):
        counts = dict.fromkeys(("names", "before", "after", "corrected", "false_changes"), 0)
        for i, name in enumerate(names(rare, options.count)):
            before, after = read(engine, strip(name, i))
            counts["names"] += 1
            counts["before"] += before == name
            counts["after"] += after == name
            counts["corrected"] += before != name == after
            counts["false_changes"] += before == name != after
            if options.show and after != name:
                print(f"{kind}: {name} read {before}, corrected {after}")
        result[kind] = counts
        print(kind, counts)
    if options.json:
        text = json.dumps({"names": result, "machine": facts("onnxruntime", "numpy")}, ensure_ascii=False, indent=1)
        options.json.write_text(text + "\n", "utf8")


if __name__ == "__main__":
    main()
