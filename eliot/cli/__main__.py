"""The command `eliot` as `python -m eliot.cli`."""

from eliot.cli import main

main()
