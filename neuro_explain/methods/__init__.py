"""Where in the picture does the evidence lie? The methods that the Grad-CAM paper names, measures, or compares with.

    from neuro_explain.methods import METHODS, method_named
    METHODS["guided-backprop"](net, images, [281], layer="layer4").map      # [N, H, W], at least 0

One small module per method; `saliency` holds what they all return, `registry` their names.

Counterfactual maps and contrasts are no methods of their own: every method takes `Target.against(281)` and
`Target.contrast(281, 282)` in place of a class.
"""

from neuro_explain.methods.registry import METHODS, method_named
from neuro_explain.methods.saliency import Method, Saliency

__all__ = ["METHODS", "Method", "Saliency", "method_named"]
