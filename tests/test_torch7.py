"""Files of Lua Torch: every type, what is shared, and that no damage passes or runs anything."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch7_writer import NAMES, Function, Lua, Pairs, Storage, Tensor, Writer, saved, tensor, write

from neuro_explain.language.torch7 import Torch7Key, Torch7Object, read_torch7


def load(raw: bytes) -> Any:
    with tempfile.NamedTemporaryFile(suffix=".t7") as file:
        file.write(raw)
        file.flush()
        return read_torch7(file.name)


def back(value: Any) -> Any:
    return load(saved(value))


# Tables of numbers, strings, booleans and tables; nil is no value in a table.
PLAIN = st.recursive(
    st.floats(allow_nan=False) | st.booleans() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4) | st.floats(), inner, max_size=4)
    ),
    max_leaves=20,
)


def expected(value: Any) -> Any:
    """What Python should hold instead, by the words of the module's docstring."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list):
        return [expected(one) for one in value]
    if isinstance(value, dict):
        if set(value) == set(range(1, len(value) + 1)):
            return [expected(value[index]) for index in range(1, len(value) + 1)]
        return {key: expected(one) for key, one in value.items()}
    return value


def same(a: Any, b: Any) -> bool:
    """Equal, and of equal types all the way down (True equals 1 in Python)."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


@given(PLAIN)
def test_plain_values_come_back(value: Any) -> None:
    if _has_nan_key(value):
        with pytest.raises(ValueError, match="NaN among its keys"):
            back(value)
    else:
        assert same(back(value), expected(value))


def _has_nan_key(value: Any) -> bool:
    if isinstance(value, dict):
        return any(key != key or _has_nan_key(one) for key, one in value.items())
    return isinstance(value, list) and any(map(_has_nan_key, value))


def test_a_table_is_a_list_exactly_if_its_keys_count_from_one() -> None:
    assert back({}) == []
    assert back(Pairs([(2, "b"), (1, "a")])) == ["a", "b"]
    assert back({0: "a", 1: "b"}) == {0.0: "a", 1.0: "b"}
    assert back({1: "a", 3: "b"}) == {1.0: "a", 3.0: "b"}
    assert back({1: "a", "n": "b"}) == {1.0: "a", "n": "b"}
    assert back({"1": "a", "2": "b"}) == {"1": "a", "2": "b"}
    assert back([None]) == [None]


def test_keys_of_any_kind_stay_apart() -> None:
    inner, other = {"a": 1}, Lua("nngraph.Node", {})
    code = Function(b"code", [])
    read = back(Pairs([(True, "yes"), (1, "one"), (inner, "table"), (other, "node"), (code, "gone")]))
    assert read[Torch7Key(True)] == "yes"
    assert read[1.0] == "one"
    assert Torch7Key(False) not in read
    (table,) = (key.value for key in read if isinstance(key, Torch7Key) and isinstance(key.value, dict))
    assert table == {"a": 1.0}
    assert Torch7Key({"a": 1.0}) not in read  # another table, though an equal one
    assert Torch7Key(table) in read and Torch7Key(table) != table
    (node,) = (key for key in read if isinstance(key, Torch7Object))
    assert read[node] == "node"
    assert len(read) == 4


@given(
    st.sampled_from(sorted(NAMES)),
    st.booleans(),
    st.lists(st.integers(0, 4), min_size=1, max_size=4),
    st.data(),
)
def test_tensors_come_back(kind: str, cuda: bool, shape: list[int], data: st.DataObject) -> None:
    count = int(np.prod(shape))
    numbers = np.array(
        data.draw(st.lists(st.integers(0, 100), min_size=count, max_size=count)), kind
    ).reshape(shape)
    read = back(tensor(numbers, cuda=cuda))
    assert read.dtype == np.dtype(kind)
    assert read.shape == numbers.shape
    assert (read == numbers).all()
    assert not read.flags.writeable


@given(st.data())
def test_strides_and_offsets_are_kept(data: st.DataObject) -> None:
    sizes = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    strides = tuple(data.draw(st.lists(st.integers(0, 5), min_size=len(sizes), max_size=len(sizes))))
    offset = data.draw(st.integers(0, 7))
    reach = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    spare = data.draw(st.integers(-1, 3))
    numbers = np.arange(reach + 1 + spare, dtype="i8")
    value = Tensor(Storage(numbers), sizes, strides, offset)
    if spare < 0:
        with pytest.raises(ValueError, match="within its storage"):
            back(value)
        return
    read = back(value)
    assert read.shape == sizes
    for index in np.ndindex(*sizes):
        assert read[index] == offset + sum(i * stride for i, stride in zip(index, strides, strict=True))


def test_empty_tensors() -> None:
    assert back(Tensor(None, (), (), class_name="torch.FloatTensor")).shape == (0,)
    assert back(Tensor(Storage(np.zeros(5, "f4")), (), ())).shape == (0,)
    assert back(Tensor(Storage(np.zeros(0, "i4")), (0,), (1,))).shape == (0,)
    assert back(Storage(np.zeros(0, "f8"))).shape == (0,)
    read = back({"a": Tensor(None, (), (), class_name="torch.CudaTensor"), "b": 1})
    assert read["a"].dtype == np.float32 and not read["a"].flags.writeable and read["b"] == 1


def test_what_is_shared_stays_shared() -> None:
    storage = Storage(np.arange(6, dtype="f4"))
    a, b = Tensor(storage, (2, 3), (3, 1)), Tensor(storage, (3, 2), (1, 3))
    table = {"storage": storage}
    node = Lua("nngraph.Node", {"data": table})
    read = back({"a": a, "b": b, "again": a, "table": table, "nodes": [node, node], "storage": storage})
    assert read["a"] is read["again"]
    assert np.shares_memory(read["a"], read["b"]) and np.shares_memory(read["b"], read["storage"])
    assert (read["a"] == read["b"].T).all()
    assert read["nodes"][0] is read["nodes"][1]
    assert read["nodes"][0].fields["data"] is read["table"]
    assert read["table"]["storage"] is read["storage"]


def test_a_table_may_hold_itself() -> None:
    circle: list[Any] = []
    circle.append(circle)
    read = back(circle)
    assert isinstance(read, list) and read[0] is read
    node = Lua("nngraph.Node", {})
    node.fields["children"] = Pairs([(1, node), (node, 1)])  # as nngraph keeps them
    read = back(node)
    assert read.fields["children"] == {1.0: read, read: 1.0}
    assert "Node" in repr(read)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_any_graph_of_tables_comes_back(edges: list[tuple[int, int]]) -> None:
    tables: list[dict[str, Any]] = [{"name": str(index)} for index in range(10)]
    for a, b in edges:
        tables[a][f"to {b}"] = tables[b]
    read = back(tables)
    assert len({id(table) for table in read}) == 10
    for index, table in enumerate(read):
        assert table["name"] == str(index)
        assert set(table) == {"name"} | {f"to {b}" for a, b in edges if a == index}
        for key, other in table.items():
            assert key == "name" or other is read[int(key[3:])]


def test_objects_are_records() -> None:
    read = back(
        Lua("cudnn.SpatialConvolution", {"kW": 3, "weight": tensor(np.ones((2, 1), "f4"), cuda=True)})
    )
    assert isinstance(read, Torch7Object)
    assert read.class_name == "cudnn.SpatialConvolution"
    assert read.fields["kW"] == 3.0 and read.fields["weight"].tolist() == [[1.0], [1.0]]
    assert back(Lua("nn.ReLU", {})).fields == {}
    assert back(Lua("pl.List", {1: "a", 2: "b"})).fields == {1.0: "a", 2.0: "b"}


def test_a_class_without_a_version() -> None:
    writer = Writer()
    writer.int(4, 7)
    writer.string("nn.Tanh")
    writer.object({"p": 1})
    assert load(bytes(writer.out)).fields == {"p": 1.0}


@pytest.mark.parametrize("kind", [6, 7, 8])
def test_functions_are_read_past(kind: int) -> None:
    shared = {"a": 1}
    code = Function(b"\x1bLJ\x01os.exit()", [{"name": "x", "value": shared}], kind)
    read = back({"before": 1, "f": code, "again": code, "shared": shared, "list": [code, 2]})
    assert read == {"before": 1.0, "f": None, "again": None, "shared": {"a": 1.0}, "list": [None, 2.0]}
    assert back(code) is None


def test_nesting_as_deep_as_may_be() -> None:
    depth = 100_000
    head = b"".join(struct.pack("<iiiid", 3, index, 1, 1, 1.0) for index in range(1, depth))
    read = load(head + saved("end"))
    for _ in range(1, depth):
        (read,) = read
    assert read == "end"


# damage

CHECKPOINT = {
    "opt": {"size": 4, "name": "x", "on": True},
    "net": Lua("nn.Linear", {"weight": tensor(np.arange(6, dtype="f4").reshape(2, 3)), "f": Function(b"code", [])}),
    "list": [1, 2, tensor(np.arange(3, dtype="i8"))],
}  # fmt: skip


def test_every_cut_is_noticed() -> None:
    raw = saved(CHECKPOINT)
    assert len(raw) > 200
    for end in range(1, len(raw)):
        with pytest.raises(ValueError, match=r"at byte \d+: expected "):
            load(raw[:end])
    with pytest.raises(ValueError, match=f"end of the file at byte {len(raw)}"):
        load(raw + b"\0")


@settings(max_examples=400)
@given(st.data())
def test_damage_is_a_value_error_or_another_value(data: st.DataObject) -> None:
    raw = bytearray(saved(CHECKPOINT))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(
            st.sampled_from([0, 1, 2, 3, 4, 5, 8, 0x7F, 0x80, 0xFF])
        )
    try:
        load(bytes(raw))
    except ValueError as error:
        assert "expected" in str(error)


@given(st.binary(min_size=1, max_size=60))
def test_noise_is_refused_or_read(raw: bytes) -> None:
    try:
        load(raw)
    except ValueError as error:
        assert "expected" in str(error)


def huge(*ints: int, longs: tuple[int, ...] = (), name: str = "") -> bytes:
    writer = Writer()
    writer.int(*ints)
    if name:
        writer.string("V 1")
        writer.string(name)
    return bytes(writer.out) + struct.pack(f"<{len(longs)}q", *longs)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (huge(2, 2**31 - 1), "expected a string, 2,147,483,647 bytes, but the file has 8"),
        (huge(2, -1), "expected a string, -1 bytes"),
        (
            huge(3, 1, 2**31 - 1),
            "expected the size of a table, at most 0 in a file of 12 bytes, got 2,147,483,647",
        ),
        (
            huge(4, 1, longs=(2**40,), name="torch.FloatStorage"),
            "expected the length of a storage, at most 0",
        ),
        (huge(4, 1, longs=(-1,), name="torch.LongStorage"), "length of a storage.* got -1; longs of 64 bits"),
        (huge(7, 1, 2**30), "byte code of a function"),
        (huge(9), "damaged at byte 0: expected the type of an object, 0 to 8, got 9"),
        (huge(5, 2), "expected a boolean, 0 or 1, got 2"),
    ],
)
def test_lengths_beyond_the_file(raw: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(raw)


@pytest.mark.parametrize(
    ("sizes", "strides", "offset", "message"),
    [
        ((4,), (1,), 3, "within its storage of 6 numbers"),
        ((2,), (1,), -1, "within its storage"),
        ((2,), (-1,), 1, "within its storage"),
        ((-2,), (1,), 0, "within its storage"),
        ((2**31,) * 8, (0,) * 8, 0, "within its storage"),
        ((2**33,), (0,), 0, "below 2\\^32, got 8,589,934,592; longs of 64 bits"),
        ((1,) * 33, (1,) * 33, 0, "tensor's dimensions, at most 32, got 33"),
    ],
)
def test_tensors_beyond_their_storage(
    sizes: tuple[int, ...], strides: tuple[int, ...], offset: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        back(Tensor(Storage(np.zeros(6, "f4")), sizes, strides, offset))


def test_a_tensor_needs_a_storage_of_its_type() -> None:
    for storage in (Storage(np.zeros(4, "f8")), {"a": 1}, "text"):
        value = Tensor(storage, (2,), (1,), class_name="torch.FloatTensor")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="expected the storage of a torch.FloatTensor, float32, got "):
            back(value)
    with pytest.raises(ValueError, match="within its storage of 0 numbers"):
        back(Tensor(None, (2,), (1,), class_name="torch.FloatTensor"))


def test_an_index_keeps_its_type() -> None:
    writer = Writer()
    writer.int(3, 1, 1)
    writer.object("key")
    writer.int(4, 1)
    with pytest.raises(ValueError, match="expected the object 1 again, of type 3, got type 4"):
        load(bytes(writer.out))


@pytest.mark.parametrize("name", ["tds.Hash", "tds.Vec", "torch.ClTensor", "torch.ClStorage"])
def test_classes_that_write_themselves_otherwise(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}', which writes itself in another way"):
        back(Lua(name, {}))
    writer = Writer()
    writer.int(4, 1)
    writer.string("V 1")
    writer.string("my.Own")
    writer.object(5)
    with pytest.raises(ValueError, match="expected the table of the fields of a 'my.Own', got float"):
        load(bytes(writer.out))


def test_a_file_with_longs_of_32_bits_is_named_so() -> None:
    writer = Writer()
    writer.int(4, 1)
    writer.string("V 1")
    writer.string("torch.FloatTensor")
    writer.int(2, 2, 3, 3, 1, 1)  # dimensions, sizes, strides, offset
    writer.int(4, 2)
    writer.string("V 1")
    writer.string("torch.FloatStorage")
    writer.int(6)
    writer.out += np.zeros(6, "f4").tobytes()
    with pytest.raises(ValueError, match="longs of 64 bits are expected: a file written where they have 32"):
        load(bytes(writer.out))


def test_other_formats_are_named() -> None:
    for start, name in ((b"PK\3\4", "PyTorch"), (b"\x80\x02\x8a\n", "PyTorch"), (b"4\n1\n3\nV 1\n", "ASCII")):
        with pytest.raises(ValueError, match=f"expected the type of an object.*{name}"):
            load(start)
    with pytest.raises(ValueError, match="big-endian"):
        load(struct.pack(">iii", 3, 1, 0))


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.t7: there is no such file"):
        read_torch7(tmp_path / "none.t7")
    (tmp_path / "empty.t7").touch()
    with pytest.raises(ValueError, match="the file is empty"):
        read_torch7(str(tmp_path / "empty.t7"))
    path = write(tmp_path / "x.t7", {"a": Storage(np.zeros(3))})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"x\.t7: damaged or cut short at byte \d+: expected "):
        read_torch7(path)
