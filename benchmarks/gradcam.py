"""Alpha and map, and maps of pixels, ÷ a plain forward pass, ours and the peers' (captum, grad-cam, torchcam).

    python -m benchmarks.gradcam [--rounds 7] [--batch 8] [--device cpu]

Also the extra peak memory over inference, counted from every allocation that torch makes.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import torch
import torchvision
from torch import Tensor, nn

from benchmarks.ratios import alternate, table
from neuro_explain.gradcam import grad_cam
from neuro_explain.methods import METHODS

NETS = {"resnet18": "layer4", "resnet50": "layer4", "vgg16": "features.29"}
FIVE = [1, 2, 3, 4, 5]
PIXELS = ("gradient", "guided-grad-cam", "deconvolution-grad-cam")


def peak_bytes(work: Callable[[], object]) -> int:
    """The largest sum of bytes that torch had allocated at once during `work`, over what was there before."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    now = peak = 0
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def contenders(net: nn.Module, layer: str, images: Tensor) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    from captum.attr import GuidedGradCam, LayerGradCam
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    from torchcam.methods import GradCAM as TorchCAM

    module = net.get_submodule(layer)
    count = len(images)
    captum, captum_guided = LayerGradCam(net, module), GuidedGradCam(net, module)

    def torchcam() -> None:
        with TorchCAM(net, target_layer=module) as cam:
            scores = net(images)
            cam([1] * count, scores)

    def grad_cam_peer() -> None:
        with GradCAM(model=net, target_layers=[module]) as cam:
            cam(input_tensor=images, targets=[ClassifierOutputTarget(1)] * count)

    def grad_cam_peer_five() -> None:
        with GradCAM(model=net, target_layers=[module]) as cam:
            for c in FIVE:
                cam(input_tensor=images, targets=[ClassifierOutputTarget(c)] * count)

    return {
        "neuro-explain, one target": lambda: grad_cam(net, images, [1] * count, layer=layer),
        "neuro-explain, five targets": lambda: grad_cam(net, images, [FIVE] * count, layer=layer),
        **{
            f"neuro-explain, {METHODS[name].title}": lambda name=name: METHODS[name](
                net, images, [1] * count, layer=layer
            )
            for name in PIXELS
        },
        "captum, Guided Grad-CAM": lambda: captum_guided.attribute(
            images, torch.ones(count, dtype=torch.long)
        ),
        "captum, one": lambda: captum.attribute(images, torch.ones(count, dtype=torch.long)),
        "captum, five": lambda: [captum.attribute(images, torch.full((count,), c)) for c in FIVE],
        "torchcam, one": torchcam,
        "grad-cam, one": grad_cam_peer,
        "grad-cam, five": grad_cam_peer_five,
    }


def main() -> None:
    """Prints a table per network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--ours", action="store_true", help="without the peers")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    images = torch.randn(options.batch, 3, 224, 224, device=options.device)
    for name, layer in NETS.items():
        net = torchvision.models.get_model(name, weights=None).eval().to(options.device)

        def inference(net: nn.Module = net) -> None:
            with torch.no_grad():
                net(images)
            if images.is_cuda:
                torch.cuda.synchronize()

        work = contenders(net, layer, images)
        if options.ours:
            work = {k: v for k, v in work.items() if k.startswith("neuro")}
        if images.is_cuda:
            work = {k: (lambda v=v: (v(), torch.cuda.synchronize())) for k, v in work.items()}
        base, ratios = alternate(inference, work, options.rounds)
        print(f"{name}, batch {options.batch}: inference {base:.3f} s, ratios to it (median, range)")
        print(table(ratios))
        if not images.is_cuda:
            plain = peak_bytes(inference)
            for label in [k for k in work if k.startswith("neuro") or k == "captum, one"]:
                extra = (peak_bytes(work[label]) - plain) / 2**20
                print(f"  extra peak memory, {label}: {extra:.1f} MiB")
        print(flush=True)


if __name__ == "__main__":
    main()
