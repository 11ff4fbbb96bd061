"""Faster gradients of strided or large depthwise convolutions in bfloat16 on the CPU."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

SMALL = 3  # pixels: kernels up to this size are fast with stride 1


def fast_depthwise_gradients() -> AbstractContextManager[Any]:
    """Compute gradients of strided or large depthwise convolutions in float32 kernels.

    oneDNN has no vectorised bfloat16 kernel for the input gradients of strided ones: the four such
    layers of a MobileNetV2 would take half of a training step. The float32 kernel takes the same
    products, which it holds exactly, and the result is rounded to bfloat16 once. It is called for
    groups of kernel columns that do not overlap, and the results are added, since this is the
    order in which oneDNN's bfloat16 kernel adds: the gradients have the same bits.

    For kernels over 3 × 3, as in EfficientNet, both gradients are computed in float32 and rounded
    once, which is also more precise.

    Returns
    -------
    context manager
        For the forward pass, inside autocast. Changes nothing on other devices and in float32.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class _Convolution(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, images: Any, weight: Any, *settings: Any) -> Any:
            ctx.save_for_backward(images, weight)
            stride, padding, dilation, groups = settings
            ctx.settings = (None, stride, padding, dilation, False, [0, 0], groups)
            return torch.conv2d(images, weight, None, *settings)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            backward, (images, weight) = torch.ops.aten.convolution_backward, ctx.saved_tensors
            if max(weight.shape[2:]) > SMALL:
                exact = (each.float() for each in (gradient, images, weight))
                both = backward(*exact, *ctx.settings, [True, True, False])[:2]
                return *(each.to(images.dtype) for each in both), None, None, None, None
            of_weight = backward(gradient, images, weight, *ctx.settings, [False, True, False])[1]
            shaped = torch.empty_like(images, dtype=torch.float32)  # only its shape is used
            single, kernel = gradient.float(), weight.float()
            group = torch.arange(weight.shape[3]) // ctx.settings[1][1]
            parts = (
                backward(single, shaped, kernel * (group == k), *ctx.settings, [True, False, False])
                for k in range(int(group[-1]) + 1)
            )
            of_images = next(parts)[0]
            for part in parts:
                of_images += part[0]
            return of_images.to(images.dtype), of_weight, None, None, None, None

    class _Mode(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if func is torch.conv2d and not kwargs and _is_slow(*args):
                half = (each.to(torch.bfloat16) for each in args[:2])
                return _Convolution.apply(*half, *args[3:])
            return func(*args, **(kwargs or {}))

    return _Mode()


def _is_slow(
    images: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> bool:  # fmt: skip
    """Whether it is depthwise, strided or large, in bfloat16 on the CPU, with all settings."""
    import torch

    return (
        images.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and bias is None
        and weight.shape[1] == 1 < groups == images.shape[1]
        and isinstance(stride, tuple)
        and (max(stride) > 1 or max(weight.shape[2:]) > SMALL)
        and isinstance(padding, tuple)
        and isinstance(dilation, tuple)
    )
