"""What of the machine may change numbers: processor, threads, libraries' kernels, hash seed, locale, libc."""

import locale
import os
import platform
import sys
from pathlib import Path
from typing import Any

from modelkeel.core.hashing import sha256

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
NUMERICS = (*THREADS, "OPENBLAS_CORETYPE", "MKL_CBWR", "MKL_DEBUG_CPU_TYPE", "NPY_DISABLE_CPU_FEATURES", "OMP_DYNAMIC")
"""Variables that a rerun sets as they were, because they change the order of additions or the kernels used."""


def machine() -> dict[str, Any]:
    """The facts, as plain JSON. Call it after the libraries were used: they show their kernels only then."""
    model, flags = _processor()
    return {
        "processor": model,
        "flags": sha256(" ".join(sorted(flags)).encode()) if flags else "",
        "cores": os.cpu_count() or 0,
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()).strip(),
        "hash_seed": os.environ.get("PYTHONHASHSEED", "random") if sys.flags.hash_randomization else "0",
        "locale": ".".join(part or "" for part in locale.getlocale()),
        "variables": {name: os.environ[name] for name in NUMERICS if name in os.environ},
        "thread_pools": _pools(),
    }


def _processor() -> tuple[str, list[str]]:
    model, flags = platform.processor() or platform.machine(), []
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                model = value.strip()
            elif name.strip() in {"flags", "Features"}:
                flags = value.split()
                break
    except OSError:
        return model, []
    return model, flags


def _pools() -> list[dict[str, Any]]:
    """Threadpoolctl's view of BLAS and OpenMP libraries, without paths."""
    if "numpy" not in sys.modules:
        return []
    try:
        import threadpoolctl  # type: ignore[import-untyped]
    except ImportError:
        return []
    wanted = ("internal_api", "version", "num_threads", "architecture", "threading_layer")
    pools = [{name: pool[name] for name in wanted if pool.get(name)} for pool in threadpoolctl.threadpool_info()]
    return sorted(pools, key=lambda pool: (pool["internal_api"], str(pool.get("version", ""))))
