"""Gradients of strided depthwise convolutions equal those of torch."""

import pytest

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(("size", "kernel", "stride"), [(16, 3, 2), (15, 5, 2), (12, 3, 1)])
def test_gradients_are_those_of_torch(size, kernel, stride):
    from models.network.strided_convolution import fast_strided_gradients

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
                with fast_strided_gradients():
                    outputs = layer(inputs)
            else:
                outputs = layer(inputs)
        outputs.float().square().sum().backward()
        return outputs, inputs.grad, layer.weight.grad.clone()

    for fast, plain in zip(gradients(True), gradients(False), strict=True):
        assert fast.dtype == plain.dtype
        torch.testing.assert_close(fast, plain, rtol=0.01, atol=0.01)


def test_other_calls_are_unchanged():
    from models.network.strided_convolution import fast_strided_gradients

    layer = torch.nn.Conv2d(8, 8, 3, 2, 1, groups=8)
    images = torch.randn(2, 8, 8, 8)
    with fast_strided_gradients():
        outputs = layer(images)
    assert outputs.dtype == torch.float32  # no autocast
    assert torch.equal(outputs, layer(images))
