"""Record service/gateway/examples.json: one real request and answer per capability, for the reference at /docs.

inkgate sandbox --env-file keys.env &        then        python tools/record_examples.py keys.env
"""

from __future__ import annotations

import argparse
import base64
import json
import urllib.request
from pathlib import Path
from typing import Any

from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from inkgate.service.contract.requests import ACTION
from inkgate.service.eop.signing import call_headers
from inkgate.service.samples import sample

OUT = Path(__file__).parents[1] / "service" / "gateway" / "examples.json"


def call(keys: dict[str, str], capability: Capability) -> dict[str, Any]:
    image = base64.urlsafe_b64encode(sample(capability.name)).decode()
    document = {"Action": ACTION, "ImageData": image} if capability.single else {"data": [image]}
    body = json.dumps(document).encode()
    headers = call_headers(keys["AK"], keys["SK"].encode(), keys["APPKEY"], body)
    request = urllib.request.Request(keys["BASE_URL"] + capability.paths[0], body, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    shown = image[:24] + "…"
    return {
        "request": {"Action": ACTION, "ImageData": shown} if capability.single else {"data": [shown]},
        "response": {name: value for name, value in answer.items() if name not in ("code", "result")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("env_file", type=Path)
    lines = parser.parse_args().env_file.read_text("utf-8").splitlines()
    keys = dict(line.split("=", 1) for line in lines)
    examples = {name: call(keys, capability) for name, capability in CAPABILITIES.items()}
    OUT.write_text(json.dumps(examples, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
