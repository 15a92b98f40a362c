"""Where a run was made: code, versions, BLAS, machine. Kept once and pointed to by its identity."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

from bpcore import ENGINE_VERSION

PACKAGES = ("bpcore", "numpy", "scikit-learn", "hydra-core", "joblib", "pyarrow")
ROOT = Path(__file__).resolve().parent.parent


@lru_cache(maxsize=1)
def code() -> dict[str, Any]:
    """Return the git commit of this code and whether it was changed since; null outside git."""
    commit = _git("rev-parse", "HEAD")
    dirty = _git("status", "--porcelain", "--untracked-files=no") if commit else None
    return {"commit": commit, "dirty": bool(dirty) if dirty is not None else None}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - git itself, with words of ours
            ["git", "-C", str(ROOT), *arguments],  # noqa: S607 - whichever git is on the path
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@lru_cache(maxsize=1)
def collect() -> dict[str, Any]:
    """Return what is known of this process but its code, which workers are told."""
    blas = [
        {key: pool.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    return {
        "engine": ENGINE_VERSION,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "blas": blas,
        "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE"),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": sys.platform,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def identity(provenance: dict[str, Any]) -> str:
    """Return the identity of a provenance, 16 hex digits."""
    return hashlib.sha256(json.dumps(provenance, sort_keys=True).encode()).hexdigest()[:16]
