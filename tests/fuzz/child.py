"""One target under atheris: `python -m tests.fuzz.child TARGET LIBFUZZER-ARGUMENTS…`. libFuzzer ends the process."""

from __future__ import annotations

import sys

import atheris


def main() -> None:
    name, *arguments = sys.argv[1:]
    # Only what parses is watched: watching whole libraries takes minutes to prepare and leads the fuzzer astray.
    watched = ["service.contract", "service.eop", "service.sealed", "engines.imaging", "inkgate_client"]
    watched += ["engines.image_header", "engines.defuse", "engines.jpeg_scans", "tests.fuzz.image_mutations"]
    with atheris.instrument_imports(include=[*watched, "service.client_ip"]):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
