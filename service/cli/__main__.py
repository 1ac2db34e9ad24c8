"""`python -m inkgate.service.cli` is `inkgate`."""

from inkgate.service.cli import main

main()
