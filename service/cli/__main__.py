"""`python -m inkgate.service.cli` runs `inkgate`."""

from inkgate.service.cli import main

main()
