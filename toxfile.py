"""Let tox find every interpreter that pyenv has installed, not only those that it has activated."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

if shutil.which("pyenv"):
    root = subprocess.check_output(["pyenv", "root"], text=True).strip()
    found = sorted(map(str, Path(root, "versions").glob("*/bin")))
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *found])
