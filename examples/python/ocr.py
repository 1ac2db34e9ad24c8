"""用 inkgate-client 读一批图片。 Reads images with the client package.

    pip install ./clients/python            # or './clients/python[sealed]'
    python ocr.py general|idcard|plate|licence FILE...

Environment: BASE_URL, AK, SK, APPKEY; with ENCKEY set, bodies are encrypted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from inkgate_client import Client, Failure, IdCard, InkGateClientError, Licence, Page, Plate


def show(result: object) -> None:
    if isinstance(result, Failure):
        print(f"  {result.code} {result.message}")
    elif isinstance(result, Page):
        print(*(f"  {line.text}" for line in result.lines), sep="\n")
    elif isinstance(result, tuple):
        for plate in result:
            assert isinstance(plate, Plate)
            print(f"  {plate.number} {plate.kind} {plate.confidence:.2f}")
    elif isinstance(result, IdCard | Licence):
        print(f"  {result}")


def main(capability: str, files: list[Path]) -> None:
    with Client(
        os.environ["BASE_URL"],
        ak=os.environ["AK"],
        sk=os.environ["SK"],
        appkey=os.environ["APPKEY"],
        enckey=os.environ.get("ENCKEY"),
    ) as client:
        if capability == "licence":
            results: list[object] = [client.licence(file) for file in files]
        else:
            results = list(getattr(client, capability)(*files))
    for file, result in zip(files, results, strict=True):
        print(file)
        show(result)


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("general", "idcard", "plate", "licence"):
        sys.exit("usage: ocr.py general|idcard|plate|licence FILE...")
    try:
        main(sys.argv[1], [Path(name) for name in sys.argv[2:]])
    except (InkGateClientError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
