"""The lab: environments with the contenders, and workers that run in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence, TypeVar

BENCHMARKS = Path(__file__).resolve().parents[1]
ROOT = BENCHMARKS.parent
WORKERS = BENCHMARKS / "workers"

#: The environment of this project and its peers, and that of published Eliot.
OURS = "ours"
PUBLISHED = "published"

_PEERS = (
    "structlog",
    "python-json-logger",
    "loguru",
    "opentelemetry-sdk",
    "logfire",
)

#: For each environment what it needs, and what it can do without.
ENVIRONMENTS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    OURS: ((*_PEERS, "--editable", f"{ROOT}[cli]"), ("picologging", "playwright")),
    PUBLISHED: (("eliot==1.18.0", "eliot-tree", "orjson"), ()),
}

_Key = TypeVar("_Key")
_Figure = TypeVar("_Figure")


class WorkerError(Exception):
    """A worker has not done its work: it failed, or took too long."""


class Lab:
    """
    Make the environments, once, and run workers in them.

    Args:
        folder: Where environments and logs are.
        quick: Measure less, in a fifth of the time.
    """

    def __init__(self, folder: Path, *, quick: bool = False) -> None:
        self.folder = folder
        self.quick = quick
        #: Log files go here.
        self.scratch = folder / "scratch"

    def prepare(self) -> None:
        """Make what is not there yet."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        # Its dependencies and commands are installed, too.
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        for name, (needed, optional) in ENVIRONMENTS.items():
            made = self.folder / name / "made"
            wanted = json.dumps([sys.version, needed, optional, project])
            if made.exists() and made.read_text(encoding="utf-8") == wanted:
                continue
            print(f"making the environment {name} ...", file=sys.stderr, flush=True)
            venv.create(self.folder / name, clear=True, with_pip=True)
            pip = [str(self.python(name)), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, *needed], check=True, stdout=sys.stderr)
            for package in optional:
                done = subprocess.run([*pip, package], check=False, stdout=sys.stderr)
                if done.returncode:
                    print(f"{package} cannot be installed here", file=sys.stderr)
            made.write_text(wanted, encoding="utf-8")

    def python(self, environment: str) -> Path:
        """Return the interpreter of an environment."""
        return self.folder / environment / "bin" / "python"

    def has(self, environment: str, module: str) -> bool:
        """Find out whether a module is in an environment."""
        code = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
        command = [str(self.python(environment)), "-c", code]
        return not subprocess.run(command, check=False).returncode

    def versions(self) -> dict[str, str]:
        """Return the versions of what is compared."""
        names = ["eliot", "eliot-tree", "orjson", "picologging", *_PEERS]
        code = (
            "import importlib.metadata as m, json, sys\n"
            "found = {d.metadata['Name']: d.version for d in m.distributions()}\n"
            "print(json.dumps(found))"
        )
        versions = {}
        for environment in ENVIRONMENTS:
            command = [str(self.python(environment)), "-c", code]
            found = json.loads(subprocess.check_output(command))
            for name in names:
                if name in found:
                    key = "published eliot" if (name, environment) == ("eliot", PUBLISHED) else name
                    versions[key] = found[name]
        return versions

    def work(self, environment: str, worker: str, *arguments: object, timeout: float = 600) -> Any:
        """
        Run a worker.

        Args:
            environment: In which.
            worker: The name of a program in `workers`.
            arguments: Its arguments.
            timeout: In seconds.

        Returns:
            What it reports: its last line of output, decoded.

        Raises:
            WorkerError: If it fails, or takes too long.
        """
        program = str(WORKERS / f"{worker}.py")
        command = [str(self.python(environment)), program, *map(str, arguments)]
        return json.loads(self.run(command, timeout).splitlines()[-1])

    def run(self, command: Sequence[str], timeout: float = 600, **options: Any) -> str:
        """
        Run a command; return what it prints.

        Raises:
            WorkerError: If it fails, or takes too long.
        """
        options = {"stdout": subprocess.PIPE, **options}
        # Variables such as PYTHONDONTWRITEBYTECODE change what is measured.
        env = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
        try:
            done = subprocess.run(
                command,
                check=False,
                timeout=timeout,
                stderr=subprocess.PIPE,
                cwd=self.scratch,
                env={**env, "PYTHONHASHSEED": "0"},
                **options,
            )
        except subprocess.TimeoutExpired:
            msg = f"not done after {timeout:,.0f} s"
            raise WorkerError(msg) from None
        if done.returncode:
            lines = done.stderr.decode(errors="replace").splitlines()
            raise WorkerError(lines[-1] if lines else f"status {done.returncode}")
        return (done.stdout or b"").decode()


def alternate(
    contenders: Mapping[_Key, Callable[[], _Figure]], rounds: int
) -> dict[_Key, list[_Figure]]:
    """Measure each contender once a round, in turn; return the figures of each, by round."""
    figures: dict[_Key, list[_Figure]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            figures[name].append(measure())
    return figures
