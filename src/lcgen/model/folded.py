"""The decoder of :mod:`lcgen.model.periodic` rearranged for inference on a processor.

Upsampling, convolution and modulation are linear, so that their weights can be multiplied out once: each level becomes
one convolution at the coarse resolution, whose even and odd phases are separate channels, and all modulations one
matrix. Phases run before channels in memory, as the convolutions of oneDNN want it. The result is that of the plain
decoder within rounding, several times faster.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .periodic import ACTIVATIONS, PeriodicDecoder

__all__ = ["FoldedDecoder"]

# Neighbouring phases that the output convolution makes together: one channel in, one out would leave registers idle.
_TOGETHER = 8
# Elements that torch leaves to one thread: its grain is 32,768.
_SERIAL = 16_384


class FoldedDecoder:
    """A decoder with folded weights, a snapshot of those of `decoder`.

    Parameters
    ----------
    decoder : PeriodicDecoder
        On a processor; of any channels, width and kernel.

    Examples
    --------
    >>> decoder = PeriodicDecoder(latent_dim=2, n_condition=3, channels=(8, 6, 4), hidden=8)
    >>> z, condition = torch.ones(5, 2), torch.ones(5, 3)
    >>> torch.allclose(FoldedDecoder(decoder)(z, condition), decoder(z, condition), atol=1e-5)
    True
    """

    @torch.no_grad()
    def __init__(self, decoder: PeriodicDecoder) -> None:
        self._function = ACTIVATIONS[decoder.activation]
        self._perceptron = [
            (layer.weight.clone(), layer.bias.clone()) for layer in decoder.perceptron if isinstance(layer, nn.Linear)
        ]
        first = decoder.seed.out_features // 8
        # the seed with its phases before its channels, then gain and shift of each level
        rows = torch.arange(8 * first).view(first, 8).t().reshape(-1)
        weights, biases = [decoder.seed.weight[rows]], [decoder.seed.bias[rows]]
        self._levels: list[tuple[Tensor, int, int]] = []
        convolutions = [layer for layer in decoder.convolutions if isinstance(layer, nn.Conv1d)]
        modulations = [layer for layer in decoder.modulations if isinstance(layer, nn.Linear)]
        for convolution, modulation in zip(convolutions, modulations, strict=True):
            kernel, reach = _fold_upsampling(convolution.weight)
            self._levels.append((kernel, *reach))
            gain, shift = modulation.weight.chunk(2)
            gain_bias, shift_bias = modulation.bias.chunk(2)
            # (y + b)(1 + gain) + shift = y (1 + gain) + (shift + b (1 + gain)) for the convolution's bias b
            b = _bias(convolution)
            weights += [gain, shift + gain * b[:, None]]
            biases += [gain_bias + 1.0, shift_bias + b * (gain_bias + 1.0)]
        self._linear = torch.cat(weights).contiguous(), torch.cat(biases).contiguous()
        self._sizes = [w.shape[0] for w in weights]
        self._output, self._reach = _fold_output(decoder.output.weight)
        self._output_bias = _bias(decoder.output).repeat(_TOGETHER)

    @torch.no_grad()
    def __call__(self, z: Tensor, condition: Tensor) -> Tensor:
        """As :meth:`PeriodicDecoder.forward`, without gradients."""
        h = torch.cat([z, condition], dim=1)
        for weight, bias in self._perceptron:
            h = self._activate(F.linear(h, weight, bias))
        seed, *modulations = F.linear(h, *self._linear).split(self._sizes, dim=1)
        n = h.shape[0]
        x = self._activate(seed.contiguous()).view(n, 8, -1)
        for (kernel, before, after), gain, shift in zip(self._levels, modulations[::2], modulations[1::2], strict=True):
            # even phases in the first half of the channels, odd ones in the second: already in the order of phase
            y = _convolve(x, kernel, before, after).reshape(n, 2 * x.shape[1], -1)
            # two roundings, not the one or two of addcmul() that depend on where a thread's share of the work begins
            x = self._activate(y.mul_(gain.unsqueeze(1)).add_(shift.unsqueeze(1)))
        grouped = x.reshape(n, x.shape[1] // _TOGETHER, -1)
        curve = _convolve(grouped, self._output, self._reach, self._reach, self._output_bias).reshape(n, -1)
        return curve - curve.mean(dim=1, keepdim=True)

    def _activate(self, x: Tensor) -> Tensor:
        """The activation in place, with the same bytes whatever the number of threads.

        Vectorised and scalar exp() differ in the last bit, and the scalar one is used at the end of each thread's share
        of a large tensor; these pieces are too small to be shared.
        """
        for piece in x.view(-1).split(_SERIAL):
            self._function(piece, inplace=True)
        return x


def _convolve(x: Tensor, kernel: Tensor, before: int, after: int, bias: Tensor | None = None) -> Tensor:
    """Circular convolution of x, shape (n, length, channels), with as many phases more as the kernel reaches."""
    padded = torch.cat([x[:, x.shape[1] - before :], x, x[:, :after]], dim=1)
    # seen as an image of height 1 this is in the order of memory called channels last
    return F.conv2d(padded.transpose(1, 2).unsqueeze(2), kernel, bias).squeeze(2).transpose(1, 2)


def _fold_upsampling(weight: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Kernel (2 out, in, 1, taps) that does upsampling and convolution in one, and its reach before and after.

    Point q of the upsampled curve is x[q / 2], or the mean of its two neighbours where q is odd.
    """
    half = weight.shape[-1] // 2
    before, after = (half + 1) // 2, half // 2 + 1
    kernel = weight.new_zeros(2, *weight.shape[:2], before + after + 1)
    for parity in (0, 1):
        for k in range(weight.shape[-1]):
            low, odd = divmod(parity + k - half, 2)
            kernel[parity, :, :, before + low] += (0.5 if odd else 1.0) * weight[:, :, k]
            if odd:
                kernel[parity, :, :, before + low + 1] += 0.5 * weight[:, :, k]
    return _image_kernel(kernel.flatten(0, 1)), (before, after)


def _fold_output(weight: Tensor) -> tuple[Tensor, int]:
    """Kernel of the output on groups of phases, shape (group, group * channels, 1, taps), and its reach in groups."""
    channels, half = weight.shape[1], weight.shape[-1] // 2
    reach = -(-half // _TOGETHER)
    kernel = weight.new_zeros(_TOGETHER, _TOGETHER, channels, 2 * reach + 1)
    for phase in range(_TOGETHER):
        for k in range(weight.shape[-1]):
            group, within = divmod(phase + k - half, _TOGETHER)
            kernel[phase, within, :, reach + group] += weight[0, :, k]
    return _image_kernel(kernel.flatten(1, 2)), reach


def _image_kernel(kernel: Tensor) -> Tensor:
    return kernel.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def _bias(layer: nn.Conv1d) -> Tensor:
    return layer.weight.new_zeros(layer.out_channels) if layer.bias is None else layer.bias.detach()
