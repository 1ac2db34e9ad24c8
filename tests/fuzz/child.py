"""One target under atheris: `python -m tests.fuzz.child TARGET LIBFUZZER-ARGUMENTS…`. libFuzzer ends the process."""

from __future__ import annotations

import sys

import atheris


def main() -> None:
    name, *arguments = sys.argv[1:]
    # Only what parses is watched: watching whole libraries takes minutes to prepare and leads the fuzzer astray.
    watched = [
        "inkgate.service.contract",
        "inkgate.service.eop",
        "inkgate.service.sealed",
        "inkgate.engines.imaging",
        "inkgate_client",
    ]
    watched += [
        "inkgate.engines.image_header",
        "inkgate.engines.file_sanitiser",
        "inkgate.engines.jpeg_structure",
        "tests.fuzz.image_mutations",
    ]
    with atheris.instrument_imports(include=[*watched, "inkgate.service.client_ip"]):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
