"""Weights out of files and into networks: formats, prefixes, refusals, and what differs."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from neuro_explain.checkpoint import class_count, fit, read_state_dict


def small(classes: int = 5) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 4, 3), bn=nn.BatchNorm2d(4), pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(),
            fc=nn.Linear(4, classes),
        )
    )  # fmt: skip


def equal(a: nn.Module, b: nn.Module) -> bool:
    x, y = a.state_dict(), b.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x)


def write(path: Path, how: str) -> nn.Module:
    net = small()
    net.bn.running_mean += torch.rand(4)  # type: ignore[operator]
    state = net.state_dict()
    match how:
        case "safetensors":
            save_file(state, path)
        case "zip":
            torch.save(state, path)
        case "legacy":
            torch.save(state, path, _use_new_zipfile_serialization=False)
        case "wrapped":
            torch.save({"epoch": 3, "arch": "small", "state_dict": state, "best": 0.5}, path)
        case "wrapped twice":
            torch.save({"model": {"state_dict": state}}, path)
        case "DataParallel":
            torch.save({"model": nn.DataParallel(net).state_dict()}, path)
        case "compiled":
            save_file({f"_orig_mod.{k}": v for k, v in state.items()}, path)
        case "compiled, DataParallel":
            torch.save({f"module._orig_mod.{k}": v for k, v in state.items()}, path)
        case "without counters":
            save_file({k: v for k, v in state.items() if "num_batches" not in k}, path)
        case "half precision":
            net.half().float()
            save_file(
                {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}, path
            )
        case "parameters":
            torch.save(OrderedDict((k, nn.Parameter(v, requires_grad=False)) for k, v in state.items()), path)
    return net


@pytest.mark.parametrize(
    "how",
    [
        "safetensors",
        "zip",
        "legacy",
        "wrapped",
        "wrapped twice",
        "DataParallel",
        "compiled",
        "compiled, DataParallel",
        "without counters",
        "half precision",
        "parameters",
    ],
)
def test_every_usual_file_fills_the_network(tmp_path: Path, how: str) -> None:
    path = tmp_path / "weights.of.any.name"
    written = write(path, how)
    net = small()
    assert not equal(net, written)
    fit(net, read_state_dict(path), source=path.name)
    assert equal(net, written)


def test_a_part_of_the_network_called_module_keeps_its_name(tmp_path: Path) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(2, 2)
            self.other = nn.Linear(2, 2)

    written, net = Net(), Net()
    save_file(written.state_dict(), tmp_path / "w")
    fit(net, read_state_dict(tmp_path / "w"), source="w")
    assert equal(net, written)


class Evil:
    """A pickle of this makes a folder when it is read without care."""

    def __init__(self, call: Callable[..., object], victim: Path) -> None:
        self.call, self.victim = call, victim

    def __reduce__(self) -> tuple[object, ...]:
        return (self.call, (str(self.victim),))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("call", "shown"), [(os.mkdir, r"\w+\.mkdir"), (os.makedirs, r"os\.makedirs"), (eval, "eval")]
)
def test_code_in_a_file_is_never_run(
    tmp_path: Path, call: Callable[..., object], shown: str, zipped: bool
) -> None:
    path, victim = tmp_path / "w.pt", tmp_path / "victim"
    torch.save({"state_dict": Evil(call, victim)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        ValueError, match=rf"w\.pt: refused.*\({shown}\).*torch\.save\(net\.state_dict"
    ) as error:
        read_state_dict(path)
    assert not victim.exists() and "\n" not in str(error.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_whole_network_is_refused_with_the_reason(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "net.pt"
    torch.save(small(), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        ValueError, match=r"refused, because it holds a Python object \(torch\.nn\.modules\."
    ) as e:
        read_state_dict(path)
    assert "\n" not in str(e.value) and "weights_only=False" not in str(e.value)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*torch.jit:FutureWarning")
def test_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.rand(1, 2)), path)
    with pytest.raises(ValueError, match="refused, because it is a TorchScript program"):
        read_state_dict(path)


@pytest.mark.parametrize("how", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.97])
def test_files_cut_short_give_one_sentence(tmp_path: Path, how: str, kept: float) -> None:
    path = tmp_path / "w.pth"
    write(path, how)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"w\.pth: ") as error:
        read_state_dict(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello, this is text", "not a weights file"),
        (b"\x80", "damaged"),
        (b"PK\x03\x04 no archive", "damaged"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f{", "damaged"),
        (pickle.dumps([1, 2]), "damaged|expected"),
    ],
)
def test_other_files_give_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_state_dict(path)
    assert "\n" not in str(error.value)


def test_folders_and_absent_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a weights file, got a folder"):
        read_state_dict(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.pth: there is no such file"):
        read_state_dict(tmp_path / "none.pth")


@pytest.mark.parametrize(
    ("content", "held"),
    [
        ({"epoch": 1, "loss": 0.5}, "a dictionary with epoch, loss"),
        ({}, "a dictionary with nothing in it"),
        ([torch.ones(1)], "a list"),
        (torch.ones(1), "a Tensor"),
        ({"state_dict": {"a": 1}}, "a dictionary with a"),
    ],
)
def test_files_without_weights_say_what_they_hold(tmp_path: Path, content: object, held: str) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ValueError, match=f"expected a state dict.*got {held}"):
        read_state_dict(tmp_path / "w.pt")


def test_an_archive_of_something_else_is_no_weights_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match="damaged"):
        read_state_dict(tmp_path / "w.zip")


def test_what_differs_is_shown() -> None:
    state = small(7).state_dict()
    with pytest.raises(ValueError, match=r"fc\.weight \(file \[7, 4\], network \[5, 4\]\)") as error:
        fit(small(5), state, source="w.pth")
    assert str(error.value).startswith("w.pth does not fit Sequential: 2 have another shape")

    del state["conv.weight"]
    state["head.weight"] = torch.ones(1)
    with pytest.raises(
        ValueError, match=r"missing in the file: conv\.weight; 1 in the file .*: head\.weight; 2 "
    ):
        fit(small(5), state, source="w.pth")


def test_only_the_first_differing_names_are_shown() -> None:
    with pytest.raises(ValueError, match="…") as error:
        fit(small(), OrderedDict((f"layer{i}", torch.ones(1)) for i in range(500)), source="w.pth")
    assert len(str(error.value)) < 400 and "500 in the file are unknown" in str(error.value)


def test_whole_numbers_do_not_silently_become_weights() -> None:
    state = small().state_dict()
    state["fc.weight"] = state["fc.weight"].to(torch.int8)
    with pytest.raises(ValueError, match=r"other number types: fc\.weight \(file int8, network float32\)"):
        fit(small(), state, source="w.pth")


def test_layers_that_read_older_names_get_to_do_so() -> None:
    from torchvision.models import VisionTransformer

    def make() -> nn.Module:
        return VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5)

    written, net = make(), make()
    old = {
        k.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): v
        for k, v in written.state_dict().items()
    }
    assert old.keys() != written.state_dict().keys()
    fit(net, OrderedDict(old), source="vit")
    assert equal(net, written)


def test_layers_that_ask_for_a_version_get_todays(tmp_path: Path) -> None:
    from torchvision.models import mnasnet0_5

    written, net = mnasnet0_5(), mnasnet0_5()
    save_file(written.state_dict(), tmp_path / "w")  # a file that keeps no versions
    fit(net, read_state_dict(tmp_path / "w"), source="w")
    assert equal(net, written)


@pytest.mark.parametrize("classes", [2, 5, 1000, 1001])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_number_of_classes_is_read_from_the_head(classes: int, prefix: str) -> None:
    state = OrderedDict((prefix + k, v) for k, v in small(classes).state_dict().items())
    assert class_count(small, state) == classes
    del state[prefix + "fc.weight"], state[prefix + "fc.bias"]
    assert class_count(small, state) is None
