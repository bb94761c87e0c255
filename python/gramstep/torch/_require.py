"""The PyTorch that is there: whether it has what is read here."""

from __future__ import annotations

OLDEST = (2, 11)
"""The oldest version that the tests have passed on."""


def require_torch() -> None:
    """Raises ImportError with the reason where PyTorch is missing or too old."""
    try:
        import torch
    except ImportError as error:
        raise ImportError("gramstep.torch needs PyTorch\nhint: pip install 'gramstep[torch]'") from error
    major, minor = (int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    node = torch.zeros(1, device="cpu", requires_grad=True).exp().grad_fn
    lacking = [name for name in ("_input_metadata", "next_functions") if not hasattr(node, name)]
    if (major, minor) < OLDEST or lacking:
        needed = f"its graph has no {', '.join(lacking)}" if lacking else f"{'.'.join(map(str, OLDEST))} or later is needed"
        raise ImportError(f"gramstep.torch cannot read the graphs of PyTorch {torch.__version__}: {needed}")
