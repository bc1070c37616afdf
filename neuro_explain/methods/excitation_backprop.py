"""Which neurons won? Excitation backprop and its contrastive form c-MWP (Zhang et al., ECCV 2016).

    excitation_backprop(net, images, [281], layer="layer3").map     # [N, h, w]; an image's cells sum to at most 1

A winning neuron of one layer passes its probability on to the neurons below that excited it:

    P(a_i | a_j) = a_i w_ij⁺ / Σ_i' a_i' w_i'j⁺            a_i ≥ 0, biases left out            (eq. 3)

and the marginal winning probability of a_i is Σ_j P(a_i | a_j) P(a_j), from the score down to `layer`, whose units'
probabilities are summed at each cell. The top neuron is the score y itself: its weights are those of the last layer
with weights, times the gradient of y at that layer's output, so every target has one. Its dual neuron has these
weights negated; the contrastive map is the difference of the two (Sec. 3.3), its positive part what is shown.

The rules are put in place of the functions that the network calls, not of its modules, while it runs once:

    convolution, linear, average pooling    the equation above; a_i is the positive part of the activation
    max pooling                             the maximum wins
    ReLU and other functions of one value   one input, one output: the probability passes
    batch normalisation                     passes too; folded into the convolution before it: its scale s_j turns the
                                            weights into s_j w_ij, of which only the sign of s_j is left in P
    addition                                shared in the ratio of the positive parts of what is added
    concatenation, flattening, dropout      the probability goes where the value came from

A network that calls any other function between the layer and the score is refused.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dissection.recording import record
from neuro_explain.gradcam import differentiable, wide
from neuro_explain.methods.excitation_rules import Rules, Run, excitation
from neuro_explain.methods.saliency import Saliency, check_finite, check_images, one_score_each
from neuro_explain.targets import Targets

_LOST = 0.01  # of the probability: less is rounding, more is said


def excitation_backprop(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """The marginal winning probabilities of the layer's cells, `[N, h, w]`, at least 0."""
    won, _, scores, notes = _probabilities(net, images, targets, layer)
    return Saliency(won.sum(1), scores, notes)


def contrastive_excitation_backprop(
    net: nn.Module, images: Tensor, targets: Targets, *, layer: str
) -> Saliency:
    """c-MWP: the probabilities under the score minus those under its dual, `[N, h, w]`, −1…1."""
    won, lost, scores, notes = _probabilities(net, images, targets, layer)
    return Saliency((won - lost).sum(1), scores, notes)


def _probabilities(
    net: nn.Module, images: Tensor, targets: Targets, layer: str
) -> tuple[Tensor, Tensor, Tensor, tuple[str, ...]]:
    """P of each of the layer's neurons under the score, and under its dual, `[N, U, h, w]`; the scores; notes.

    Raises:
        ValueError: as `grad_cam`; and a function of the network that has no rule.
    """
    check_images(images)
    with differentiable(net) as plain:
        # As in `layer_gradient`: gradients on from the start only where part of the network switches them off.
        for backbone_graph in (False, True):
            run = Run()
            with torch.set_grad_enabled(backbone_graph), Rules(run), record(plain, layer, leaf=True) as seen:
                output = plain(images.clone())
                if seen.output.dim() != 4 or len(seen.output) != len(images):
                    raise ValueError(
                        f"layer {layer!r} puts out {list(seen.output.shape)} for {len(images)} images, expected maps "
                        "[N, U, h, w]; choose a spatial layer"
                    )
                scores = one_score_each(output, targets, len(images))
            if scores.grad_fn is not None and run.prepare(scores, seen.output):
                break
        else:
            raise ValueError(
                f"the score does not depend on the output of layer {layer!r} through differentiable operations; "
                "choose another layer, or remove detach(), no_grad(), inference_mode() behind it"
            )
        won, lost = (_marginal(run, sign, scores, seen.output) for sign in (1, -1))
    scores = wide(scores.detach())
    check_finite(scores, won - lost)
    return won, lost, scores, _notes(run, won, layer)


def _marginal(run: Run, sign: int, scores: Tensor, maps: Tensor) -> Tensor:
    run.sign = sign
    (gradient,) = torch.autograd.grad(scores, maps, torch.ones_like(scores), retain_graph=sign > 0)
    # Without a layer with weights in between, the layer's own units are what the score is a sum of.
    return wide(excitation(maps.detach(), gradient, sign) if run.top is None else gradient)


def _notes(run: Run, won: Tensor, layer: str) -> tuple[str, ...]:
    notes = []
    arrived = won.flatten(1).sum(1)
    if float(arrived.min()) < 1 - _LOST:
        notes.append(
            f"of the winning probability {float(arrived.min()):.0%} to {float(arrived.max()):.0%} arrives at {layer}; "
            "the rest ends at neurons that nothing excites"
        )
    if run.negative:
        notes.append(
            f"{run.negative} of {run.weighted} layers with weights behind {layer} get negative activations, which "
            "count as 0 here"
        )
    if run.passed:
        passed = ", ".join(f"{count} {name}" for name, count in sorted(run.passed.items()))
        notes.append(f"functions that are no ReLU pass the probability on like one: {passed}")
    if run.alone:
        notes.append(f"{run.alone} batch normalisations follow no convolution and pass the probability on")
    return tuple(notes)
