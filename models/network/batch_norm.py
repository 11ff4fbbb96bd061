"""Preparation of batch norms for training: statistics restored, residual branches at zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.backbone import Backbone

if TYPE_CHECKING:
    import torch


def unfold_batch_norm(network: Backbone, grey: torch.Tensor) -> bool:
    """Restore the statistics of batch norms whose statistics were folded into their bias.

    Weights that come from an inference format have mean 0 and variance 1 in every batch norm.
    Training such a network would normalise activations that it never normalised, and undo what
    it learned. Mean and variance are measured on images, and scale and bias are set so that the
    outputs of the network do not change. Weights with statistics of their own are not changed.

    Parameters
    ----------
    network : Backbone
        Changed in place.
    grey : Tensor of shape (n, H, W), uint8
        Training images.

    Returns
    -------
    bool
        Whether the network was changed.
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    norms = [m for m in network.model.modules() if isinstance(m, _BatchNorm)]
    if not norms or any(m.running_mean.any() or (m.running_var != 1).any() for m in norms):
        return False
    moments: dict[Any, list[torch.Tensor]] = {norm: [] for norm in norms}

    def _measure(norm: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        values = inputs[0].double().transpose(0, 1).flatten(1)
        moments[norm].append(torch.stack([values.mean(dim=1), values.square().mean(dim=1)]))

    hooks = [norm.register_forward_pre_hook(_measure) for norm in norms]
    network.infer(grey)
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        for norm in norms:
            mean, square = torch.stack(moments[norm]).mean(dim=0)
            variance = square - mean.square()
            scale = norm.weight.double() / (1 + norm.eps) ** 0.5
            norm.bias += (mean * scale).to(norm.bias)
            norm.weight.copy_(scale * (variance + norm.eps).sqrt())
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
    return True


def start_as_identity(model: torch.nn.Module) -> int:
    """Set the last batch norm's scale to 0 in each residual block of timm's EfficientNet family.

    A deep network with random weights then starts as a shallow one, and learns from few images.
    Other families do so by themselves or have no such blocks, and are not changed.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.

    Returns
    -------
    int
        Number of blocks changed.

    References
    ----------
    Goyal P, Dollár P, Girshick R, et al. Accurate, large minibatch SGD. arXiv:1706.02677
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    blocks = [block for block in model.modules() if getattr(block, "has_skip", False)]
    last = [[m for m in block.modules() if isinstance(m, _BatchNorm)][-1:] for block in blocks]
    for norm in (norm for norms in last for norm in norms):
        torch.nn.init.zeros_(norm.weight)
    return sum(map(len, last))
