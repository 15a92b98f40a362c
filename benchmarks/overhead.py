"""What a sweep costs besides training: composing, packing, storing, printing.

    python benchmarks/overhead.py          # 10,000 cells of one epoch on exclusive or, and start-up

Processor time of all processes, less the core's own (what `train_stack` took).
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SWEEP = (
    "-m data=xor epochs=1 replicates=1 report=false lr=log:1e-3:10:100 init_scale=log:1e-3:3:100"
)
# Runs train.py and then says what the core took, which no user would want to see.
PROGRAM = """
import sys, train
from sweeps import engine
status = train.main()
print("engine", sum(done.engine_seconds for done in engine.DONE))
raise SystemExit(status)
"""


def run(*command: str, folder: str) -> tuple[float, str]:
    """Run a command and return its processor seconds, children included, and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(  # noqa: S603 - this project's own entry points
        [sys.executable, *command],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, done.stdout


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, output = run("-c", PROGRAM, *SWEEP.split(), folder=folder)
        core = float(output.rsplit("engine", 1)[1])
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"10,000 cells: {seconds:.1f} s of CPU, {core:.1f} s of them the core's own")
        print(f"overhead: {(seconds - core) / 10_000 * 1e3:.2f} ms a run; peak {peak:.0f} MB")
        again, _ = run("-c", PROGRAM, *SWEEP.split(), folder=folder)
        print(f"the same command again: {again:.1f} s of CPU")
        train = str(ROOT / "train.py")
        cell, _ = run(train, "data=xor", folder=folder)
        print(f"one cell on exclusive or: {cell:.2f} s of CPU")
        usage, _ = run(train, "--help", folder=folder)
        print(f"--help: {usage:.2f} s of CPU")


if __name__ == "__main__":
    main()
