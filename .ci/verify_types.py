"""Check that the installed package tells type checkers the types of all that is public."""

import subprocess
import sys
import tempfile

# Not in the checkout, whose eliot/ would stand before the installed one. Others' packages are
# their own business: some have no types.
command = [sys.executable, "-m", "pyright", "--verifytypes", "eliot", "--ignoreexternal"]
with tempfile.TemporaryDirectory() as folder:
    sys.exit(subprocess.run(command, check=False, cwd=folder).returncode)
