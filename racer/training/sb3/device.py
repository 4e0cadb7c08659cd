"""Where PyTorch computes, and with how many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

from racer.errors import AgentError

__all__ = ["device_of", "threads"]


def device_of(asked: str, images: bool) -> tuple[str, str]:
    """Where to compute, `cpu` or `cuda`, and why in words.

    Raises:
        AgentError: a GPU was asked for, and there is none.
    """
    found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise AgentError("PyTorch finds no GPU here; train with --device cpu, or install a build of PyTorch with CUDA")
    if asked == "cuda":
        return "cuda", "GPU"
    if asked == "cpu":
        return "cpu", "CPU"
    if not images:
        return "cpu", "CPU (faster than a GPU for networks without images)"
    return ("cuda", "GPU, as there are images") if found else ("cpu", "CPU, as there is no GPU")


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let each matrix product take so many threads, and afterwards as many as before; None changes nothing.

    Small networks lose more time between threads than they win.
    """
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(count or before)
        with threadpool_limits(count, "blas"):  # what NumPy and the kernels multiply with
            yield
    finally:
        torch.set_num_threads(before)
