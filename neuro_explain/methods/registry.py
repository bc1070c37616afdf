"""Which methods are there, and what are they called?"""

from __future__ import annotations

import difflib
import warnings

from torch import Tensor, nn

from neuro_explain.gradcam import grad_cam
from neuro_explain.methods.ablations import (
    grad_cam_absolute_gradient,
    grad_cam_deconvolution_relu,
    grad_cam_guided_relu,
    grad_cam_max_pooled,
    grad_cam_no_relu,
)
from neuro_explain.methods.cam import cam
from neuro_explain.methods.deconvolution import deconvolution
from neuro_explain.methods.deconvolution_grad_cam import deconvolution_grad_cam
from neuro_explain.methods.excitation_backprop import contrastive_excitation_backprop, excitation_backprop
from neuro_explain.methods.grad_cam_plus_plus import grad_cam_plus_plus
from neuro_explain.methods.gradient import gradient
from neuro_explain.methods.guided_backprop import guided_backprop
from neuro_explain.methods.guided_grad_cam import guided_grad_cam
from neuro_explain.methods.layer_cam import layer_cam
from neuro_explain.methods.occlusion import occlusion
from neuro_explain.methods.saliency import Method, Saliency
from neuro_explain.targets import Targets, softmax_note


def _grad_cam(net: nn.Module, images: Tensor, targets: Targets, *, layer: str) -> Saliency:
    """Grad-CAM's signed map; its ReLU is the saliency's map."""
    with warnings.catch_warnings():
        # said in the notes: what a captioner puts out is logarithms of probabilities, and means to be
        warnings.simplefilter("ignore", UserWarning)
        cam = grad_cam(net, images, targets, layer=layer)
    note = softmax_note(cam.output)
    return Saliency(cam.signed_map, cam.scores, () if note is None else (note,))


_SELVARAJU = "Selvaraju et al. 2019"
_ZHANG = "Zhang et al. 2016"

_ALL = (
    Method("grad-cam", "Grad-CAM", _grad_cam, False, f"{_SELVARAJU}, eq. 1 and 2"),
    Method("gradient", "gradient", gradient, True, "Simonyan et al. 2014, Sec. 3"),
    Method("guided-backprop", "guided backprop", guided_backprop, True, "Springenberg et al. 2015"),
    Method("deconvolution", "deconvolution", deconvolution, True, "Zeiler and Fergus 2014"),
    Method("guided-grad-cam", "Guided Grad-CAM", guided_grad_cam, True, f"{_SELVARAJU}, Sec. 3.2"),
    Method(
        "deconvolution-grad-cam",
        "Deconvolution Grad-CAM",
        deconvolution_grad_cam,
        True,
        f"{_SELVARAJU}, Sec. 3.2",
    ),
    Method("cam", "CAM", cam, False, "Zhou et al. 2016"),
    Method("grad-cam-plus-plus", "Grad-CAM++", grad_cam_plus_plus, False, "Chattopadhay et al. 2018, eq. 19"),
    Method("layer-cam", "LayerCAM", layer_cam, False, "Jiang et al. 2021"),
    Method("excitation-backprop", "excitation backprop", excitation_backprop, False, f"{_ZHANG}, Sec. 3.2"),
    Method("c-mwp", "c-MWP", contrastive_excitation_backprop, False, f"{_ZHANG}, Sec. 3.3"),
    Method("occlusion", "occlusion", occlusion, False, "Zeiler and Fergus 2014"),
    Method("grad-cam-no-relu", "Grad-CAM without ReLU", grad_cam_no_relu, False, f"{_SELVARAJU}, App. B"),
    Method(
        "grad-cam-absolute-gradient",
        "Grad-CAM of |gradient|",
        grad_cam_absolute_gradient,
        False,
        f"{_SELVARAJU}, App. B",
    ),
    Method(
        "grad-cam-max-pooled", "Grad-CAM, max-pooled", grad_cam_max_pooled, False, f"{_SELVARAJU}, App. B"
    ),
    Method(
        "grad-cam-guided-relu", "Grad-CAM, guided ReLU", grad_cam_guided_relu, False, f"{_SELVARAJU}, App. B"
    ),
    Method(
        "grad-cam-deconvolution-relu",
        "Grad-CAM, deconvolution ReLU",
        grad_cam_deconvolution_relu,
        False,
        f"{_SELVARAJU}, App. B",
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in _ALL}
"""All methods, by name, in the order in which reports print them."""


def method_named(name: str) -> Method:
    """The method of a name.

    Raises:
        ValueError: there is none; the message offers near names.
    """
    if name not in METHODS:
        near = difflib.get_close_matches(str(name), METHODS, n=3, cutoff=0.4) or list(METHODS)
        raise ValueError(f"method {name!r} does not exist: did you mean {', '.join(near)}?")
    return METHODS[name]
