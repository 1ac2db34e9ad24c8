"""`python -m inkgate.service.cli.temporary PARENT`: `inkgate serve` that ends when process PARENT ends."""

from __future__ import annotations

import sys

from inkgate.service.cli import main
from inkgate.service.worker.process import die_with_parent

if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    sys.argv[1:] = ["serve"]
    main()
