"""Record service/samples/<capability>.json: one real request and answer per capability, for the API reference at /docs.

inkgate sandbox --env-file keys.env &        then        python -m tools.record_examples keys.env

Records every installed capability that has a sample image, each in its own file.
"""

from __future__ import annotations

import argparse
import base64
import json
import urllib.request
from pathlib import Path
from typing import Any

from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from inkgate.service.contract.examples import shortened
from inkgate.service.eop.signing import call_headers


def call(keys: dict[str, str], capability: Capability) -> dict[str, Any]:
    image = base64.urlsafe_b64encode(capability.sample.read_bytes()).decode()
    body = json.dumps(capability.request([image])).encode()
    headers = call_headers(keys["AK"], keys["SK"].encode(), keys["APPKEY"], body)
    request = urllib.request.Request(keys["BASE_URL"] + capability.paths[0], body, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    return {
        "request": capability.request([shortened(image)]),
        "response": {name: value for name, value in answer.items() if name not in ("code", "result")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("env_file", type=Path)
    lines = parser.parse_args().env_file.read_text("utf-8").splitlines()
    keys = dict(line.split("=", 1) for line in lines)
    for capability in CAPABILITIES.values():
        if isinstance(capability.example, Path):
            text = json.dumps(call(keys, capability), ensure_ascii=False, indent=1)
            capability.example.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
