"""Gradients of depthwise convolutions equal those of torch."""

import pytest

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [(16, 3, 2), (15, 5, 2), (12, 5, 1), (12, 3, 1)]
)
def test_gradients_are_those_of_torch(size, kernel, stride):
    from models.network.depthwise_convolution import fast_depthwise_gradients

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, 8, size, size, generator=generator)
    layer = torch.nn.Conv2d(8, 8, kernel, stride, kernel // 2, groups=8, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))

    def gradients(fast):
        inputs = images.clone().requires_grad_()
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            if fast:
                with fast_depthwise_gradients():
                    outputs = layer(inputs)
            else:
                outputs = layer(inputs)
        outputs.float().square().sum().backward()
        return outputs, inputs.grad, layer.weight.grad.clone()

    for fast, plain in zip(gradients(True), gradients(False), strict=True):
        assert fast.dtype == plain.dtype
        torch.testing.assert_close(fast, plain, rtol=0.01, atol=0.01)


def test_other_calls_are_unchanged():
    from models.network.depthwise_convolution import fast_depthwise_gradients

    layer = torch.nn.Conv2d(8, 8, 3, 2, 1, groups=8)
    images = torch.randn(2, 8, 8, 8)
    with fast_depthwise_gradients():
        outputs = layer(images)
    assert outputs.dtype == torch.float32  # no autocast
    assert torch.equal(outputs, layer(images))


def test_large_kernels_are_rounded_once():
    """Inputs and kernel are exact in bfloat16, so that the float32 gradients are the reference."""
    from models.network.depthwise_convolution import fast_depthwise_gradients

    generator = torch.Generator().manual_seed(1)
    images = torch.randn(4, 8, 12, 12, generator=generator)
    weight = torch.randn(8, 1, 5, 5, generator=generator)
    half = [each.bfloat16().float().requires_grad_() for each in (images, weight)]
    settings = (None, (2, 2), (2, 2), (1, 1), 8)
    with torch.autocast("cpu", torch.bfloat16), fast_depthwise_gradients():
        outputs = torch.conv2d(*half, *settings)
    upstream = torch.randn(outputs.shape, generator=generator).bfloat16()
    found = torch.autograd.grad(outputs, half, upstream)
    exact = torch.autograd.grad(torch.conv2d(*half, *settings), half, upstream.float())
    for one, other in zip(found, exact, strict=True):
        assert torch.equal(one, other.bfloat16().float())
