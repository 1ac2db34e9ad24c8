"""`python -m service.cli` is `inkgate`."""

from service.cli import main

main()
