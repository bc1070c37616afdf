"""What speaks for and against each class of a batch run, and where two groups differ: definitions restated slowly."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.stats
from batch_toy import Planted, make_batch, read_json
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dissection.artifact import ArtifactError, read_artifact
from dissection.concepts import Concept
from neuro_explain.commands.profile import profile as command
from neuro_explain.profile import Profile, profile_batch
from neuro_explain.profile.grouping import Grouping
from neuro_explain.profile.lines import profile_lines
from neuro_explain.profile.moments import Moments
from neuro_explain.profile.significance import LEAST, benjamini_hochberg, mean_interval, welch

CLASSES = ("nurse", "doctor", "patient")
EFFECT = Planted("nurse", "concept 2", "gender", "f", 1.5)
ALMOST = (
    1e-6  # contributions are float32, whose last digit is 6e-8 of the value, and values here are below ten
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_batch(
        tmp_path_factory.mktemp("batch") / "run",
        rows=900,
        units=20,
        classes=CLASSES,
        concepts=5,
        part=256,
        errors=0.06,
        labelled=0.9,
        metadata={
            "gender": ("f", "m"),
            "camera": ("a,b", "c", None, "d"),
            "right": ("yes", "yes"),
            "empty": (None,),
        },
        planted=[EFFECT],
        thumbnails=False,
    )


class Slow:
    """The images of a run, their q for each concept added up in Python."""

    def __init__(self, folder: Path) -> None:
        units = pd.read_csv(folder / "units.csv", keep_default_na=False)
        self.names = units["concept"].tolist()
        self.rows: list[dict[str, Any]] = []
        for path in sorted((folder / "predictions").glob("*.parquet")):
            for row in pq.read_table(path).to_pylist():
                if row["error"] is None:
                    row["to predicted"] = self.by_concept(row["contribution"])
                    other = row["label_contribution"]
                    row["to label"] = self.by_concept(row["contribution"] if other is None else other)
                    self.rows.append(row)

    def by_concept(self, contributions: list[float]) -> dict[str, float]:
        q: dict[str, float] = defaultdict(float)
        for name, value in zip(self.names, contributions, strict=True):
            q[name] += value
        return q

    def of(self, number: int, of: str, keep: Any = lambda row: True) -> pd.DataFrame:
        """q `[n, G]` of the images predicted or labelled as a class; the column of unnamed units is ""."""
        return pd.DataFrame([row[f"to {of}"] for row in self.rows if row[of] == number and keep(row)])


@pytest.fixture(scope="module")
def slow(run: Path) -> Slow:
    return Slow(run)


def near(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(
        np.asarray(found, float), np.asarray(expected, float), rtol=ALMOST, atol=ALMOST
    )


# --- the definition, restated ---


@pytest.mark.parametrize("of", ["predicted", "label"])
def test_means_shares_and_signs(run: Path, slow: Slow, of: Any) -> None:
    profile = profile_batch(run, of=of)
    assert [one.name for one in profile.classes] == list(CLASSES)
    for one in profile.classes:
        q = slow.of(one.number, of)
        names = [concept.name if concept else "" for concept in profile.concepts]
        assert sorted(names) == sorted(q.columns) and names[-1] == ""
        q = q[names]
        assert one.images == len(q) > 100
        near(one.mean, q.mean())
        shares = [abs(row) / np.abs(row).sum() for row in q.to_numpy()]
        near(one.share, np.mean(shares, axis=0))
        assert one.share.sum() == pytest.approx(1)
        near(one.positive, (q > 0).mean())
        for place, name in enumerate(names):
            expected = scipy.stats.ttest_1samp(q[name], 0).confidence_interval(0.95)
            near([one.low[place], one.high[place]], expected)


def test_counts(run: Path, slow: Slow) -> None:
    profile = profile_batch(run)
    table = pd.concat([pq.read_table(path).to_pandas() for path in sorted((run / "predictions").iterdir())])
    good = table[table["error"].isna()]
    assert (profile.images, profile.errors) == (900, 900 - len(good)) and profile.errors > 0
    assert profile.labelled == good["label"].notna().sum() < len(good)
    assert profile.right == (good["right"] == True).sum()  # noqa: E712  # may be None
    for one in profile.classes:
        assert one.predicted == (good["predicted"] == one.number).sum() == one.images
        assert one.labelled == (good["label"] == one.number).sum()
        assert one.right == ((good["label"] == one.number) & (good["predicted"] == one.number)).sum()


def same_test(profile: Profile, place: int, number: int, a: pd.DataFrame, b: pd.DataFrame) -> None:
    """A class's row of a comparison says what scipy says of these images."""
    one = profile.comparisons[place].classes[number]
    assert (one.first.images, one.second.images) == (len(a), len(b))
    for g, concept in enumerate(profile.concepts):
        x, y = a[concept.name if concept else ""], b[concept.name if concept else ""]
        expected = scipy.stats.ttest_ind(x, y, equal_var=False)
        near(one.difference[g], x.mean() - y.mean())
        near([one.first_mean[g], one.second_mean[g]], [x.mean(), y.mean()])
        assert one.p[g] == pytest.approx(expected.pvalue, rel=1e-4)  # of float32 data; small p magnify it
        near([one.low[g], one.high[g]], expected.confidence_interval(0.95))
        pooled = math.sqrt(((len(x) - 1) * x.var() + (len(y) - 1) * y.var()) / (len(x) + len(y) - 2))
        near(one.d[g], (x.mean() - y.mean()) / pooled)


@pytest.mark.parametrize("of", ["predicted", "label"])
def test_two_slices(run: Path, slow: Slow, of: Any) -> None:
    profile = profile_batch(run, of=of, compare="gender")
    (comparison,) = profile.comparisons
    assert (comparison.name, comparison.first, comparison.second) == ("gender", "f", "m")
    for number, one in enumerate(comparison.classes):
        sides = [slow.of(number, of, lambda row, v=value: row["meta.gender"] == v) for value in "fm"]
        same_test(profile, 0, number, *sides)
        labelled = [row for row in slow.rows if row[of] == number and row["meta.gender"] == "f"]
        assert one.first.labelled == sum(row["label"] is not None for row in labelled)
        assert one.first.right == sum(row["right"] is True for row in labelled)
    p = np.concatenate([one.p for one in comparison.classes])
    q = np.concatenate([one.q for one in comparison.classes])
    near(q, scipy.stats.false_discovery_control(p))
    assert comparison.tests == len(p) and comparison.findings == (q <= 0.05).sum()


def test_right_against_wrong(run: Path, slow: Slow) -> None:
    profile = profile_batch(run, compare="right")
    missed, alarms = profile.comparisons
    assert (missed.second, alarms.second) == ("missed", "false alarms")
    for number in range(3):
        right = slow.of(number, "label", lambda row: row["right"])
        same_test(profile, 0, number, right, slow.of(number, "label", lambda row: row["right"] is False))
        same_test(profile, 1, number, right, slow.of(number, "predicted", lambda row: row["right"] is False))
    p = np.concatenate([one.p for comparison in profile.comparisons for one in comparison.classes])
    q = np.concatenate([one.q for comparison in profile.comparisons for one in comparison.classes])
    near(q, scipy.stats.false_discovery_control(p))


def test_classes_can_be_chosen_and_nothing_else_changes(run: Path) -> None:
    whole, part = profile_batch(run), profile_batch(run, classes=["doctor", 0, "doctor"])
    assert [one.name for one in part.classes] == ["doctor", "nurse"]
    for one in part.classes:
        other = whole.classes[one.number]
        assert np.array_equal(one.mean, other.mean) and np.array_equal(one.low, other.low)
        assert (one.labelled, one.right) == (other.labelled, other.right)
    assert (part.images, part.right) == (whole.images, whole.right)


def test_alpha_of_each_image_its_own(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "run", rows=80, classes=2, alpha_varies=True, thumbnails=False)
    slow = Slow(folder)
    for one in profile_batch(folder, of="label").classes:
        expected = slow.of(one.number, "label").mean()
        near([one.mean[0], one.mean[-1]], [expected["concept 0"], expected[""]])


def test_concepts_of_one_name_and_two_categories_are_two() -> None:
    names = [Concept("red", "color"), None, Concept("red", "material"), Concept("red", "color")]
    grouping = Grouping(names)
    assert grouping.concepts == (Concept("red", "color"), Concept("red", "material"), None)
    assert grouping.sizes.tolist() == [2, 1, 1]
    assert grouping.sums(np.array([[1, 2, 4, 8]], np.float32)).tolist() == [[9, 4, 2]]
    assert Grouping([Concept("a", "b")]).concepts == (Concept("a", "b"),)
    assert Grouping([None, None]).sums(np.ones((3, 2), np.float32)).tolist() == [[2], [2], [2]]


# --- what was planted is found, and nothing else ---


def test_a_planted_effect_stands_first(run: Path) -> None:
    (comparison,) = profile_batch(run, compare="gender").comparisons
    one, place = comparison.ranked()[0]
    assert one.name == EFFECT.of and place == 2 and one.q[place] < 1e-6
    assert one.low[place] < EFFECT.size < one.high[place]
    turned = profile_batch(run, compare="gender=m,f").comparisons[0].classes[one.number]
    assert turned.difference[place] == -one.difference[place]


@pytest.mark.slow
def test_false_discoveries_stay_rare(tmp_path: Path) -> None:
    shares, found, nothing = [], 0, 0
    for seed in range(20):
        folder = tmp_path / str(seed)
        make_batch(
            folder, rows=240, units=16, classes=3, metadata={"a": "xy", "b": "xy"}, seed=seed, thumbnails=False,
            planted=[Planted("class 1", "concept 0", "a", "x", 2.0)],
        )  # fmt: skip
        (planted,), (null,) = (profile_batch(folder, compare=column).comparisons for column in "ab")
        findings = [(one.name, place) for one, place in planted.ranked() if one.q[place] <= 0.05]
        false = [row for row in findings if row != ("class 1", 0)]
        found += len(findings) - len(false)
        shares.append(len(false) / max(1, len(findings)))
        nothing += null.findings == 0
    assert found == 20
    assert np.mean(shares) <= 0.1  # 0.05 expected, and 20 runs are few
    assert nothing >= 16  # 19 expected; fewer than 16 of 20 happens once in 400


# --- statistics by hand ---


def test_benjamini_and_hochberg_on_paper() -> None:
    p = np.array([[0.01, 0.04], [math.nan, 0.03], [0.5, 0.005]])
    # sorted: 0.005·5/1, 0.01·5/2, 0.03·5/3, 0.04·5/4, 0.5: the smallest from each on
    near(benjamini_hochberg(p)[~np.isnan(p)], [0.025, 0.05, 0.05, 0.5, 0.025])
    assert np.isnan(benjamini_hochberg(p)[1, 0])
    assert np.isnan(benjamini_hochberg(np.full(3, math.nan))).all()


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([-2.5, 0.0, 1e-3, 7.0, 1e6])), max_size=30),
    st.integers(1, 7),
)
def test_portions_add_up(rows: list[tuple[int, float]], portion: int) -> None:
    group = np.array([g for g, _ in rows], np.int64)
    q = np.array([[v, 3.0] for _, v in rows]).reshape(len(rows), 2)
    moments = Moments(3, 2)
    for start in range(0, len(rows), portion):
        moments.add(group[start : start + portion], q[start : start + portion])
    for g in range(3):
        its = q[group == g]
        assert moments.count[g] == len(its)
        if len(its):
            np.testing.assert_allclose(moments.mean[g], its.mean(axis=0), rtol=1e-12)
            np.testing.assert_allclose(moments.positive[g], (its > 0).mean(axis=0))
            np.testing.assert_allclose(moments.share[g].sum(), 1)
        else:
            assert not moments.mean[g].any() and not moments.share[g].any()
        if len(its) > 1:
            # relative to the largest value that went in: 1e6 beside 1e-3 leaves no more
            np.testing.assert_allclose(moments.variance[g], its.var(axis=0, ddof=1), rtol=1e-9, atol=1e-9)
        else:
            assert np.isnan(moments.variance[g]).all()


def test_images_on_which_nothing_contributes_have_no_share() -> None:
    moments = Moments(1, 2)
    moments.add(np.zeros(2, np.int64), np.array([[0.0, 0.0], [3.0, -1.0]]))
    assert moments.share.tolist() == [[0.375, 0.125]]


@pytest.mark.parametrize("n", [0, 1, 2, LEAST - 1, LEAST])
def test_few_images_have_no_interval_and_no_test(n: int) -> None:
    rng = np.random.default_rng(n)
    few, many = rng.normal(size=n), rng.normal(size=50)
    variance = np.array(few.var(ddof=1) if n > 1 else math.nan)
    mean = np.array(few.mean() if n else 0.0)
    low, high = mean_interval(np.array(n), mean, variance)
    test = welch(np.array(n), mean, variance, np.array(50), np.array(many.mean()), np.array(many.var(ddof=1)))
    assert np.isnan(test.difference) == (n == 0)
    for value in (low, high, test.p, test.low, test.high, test.d):
        assert np.isnan(value) == (n < LEAST)


def test_values_that_do_not_vary_are_not_tested() -> None:
    n, zero, one = np.array(40), np.array(0.0), np.array(1.0)
    for mean_a, mean_b, variance in (
        (0.3, 0.3, 0.0),
        (0.3, 0.3 + 1e-16, 1e-33),
        (1.0, 2.0, 0.0),
        (0.0, 0.0, 0.0),
    ):
        spread = np.array(variance)
        test = welch(n, np.array(mean_a), spread, n, np.array(mean_b), spread)
        assert np.isnan([test.p, test.d, test.low]).all()
        assert test.difference == mean_a - mean_b
    # one side that varies is enough
    assert welch(n, zero, zero, n, one, one).p < 1e-6


# --- what cannot be done is said ---


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"classes": ["nurs"]}, "did you mean nurse"),
        ({"classes": [7]}, "numbered from 0 to 2"),
        ({"compare": "gendr"}, "did you mean gender"),
        ({"compare": "gendr=f,m"}, "did you mean gender"),
        ({"compare": "gender=f,x"}, "no image's gender is 'x'; there are 'm' "),
        ({"compare": "gender=f"}, "expected two values"),
        ({"compare": "gender=f,f"}, "two different values"),
        ({"compare": "camera"}, r"camera has 3 values, .*; name two of them: camera="),
        ({"compare": "right=yes,no"}, "no image's right is 'no'"),
        ({"compare": "empty"}, "empty has no value"),
        ({"of": "labels"}, "expected 'predicted' or 'label'"),
        ({"top": 0}, "expected at least 1"),
    ],
)
def test_what_cannot_be_asked(run: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        profile_batch(run, **options)


def test_values_may_have_commas(run: Path) -> None:
    (comparison,) = profile_batch(run, compare="camera=d,a,b").comparisons
    assert (comparison.first, comparison.second) == ("d", "a,b")


def test_without_labels_or_metadata(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "run", rows=40, labelled=0, metadata={"only": "x"}, thumbnails=False)
    for options in ({"of": "label"}, {"compare": "right"}):
        with pytest.raises(ValueError, match="have no labels"):
            profile_batch(folder, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="only has only one value, 'x'"):
        profile_batch(folder, compare="only")
    assert "no labels" in profile_batch(folder).lines()[0]
    bare = make_batch(tmp_path / "bare", rows=40, thumbnails=False)
    with pytest.raises(ValueError, match="no metadata columns"):
        profile_batch(bare, compare="gender")


def test_few_images(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "run", rows=9, classes=3, metadata={"a": "xy"}, thumbnails=False)
    profile = profile_batch(folder, compare="a")
    assert profile.classes == () and profile.few == 3
    assert any("no class has 10 images" in line for line in profile.lines())
    assert len(profile.to_frame()) == len(profile.compare_frame()) == 0
    one = profile_batch(folder, classes=[0], compare="a")
    assert np.isnan(one.classes[0].low).all() and one.comparisons[0].tests == 0
    text = "\n".join(one.lines())
    assert "NOTHING COULD BE COMPARED" in text
    assert "fewer than 10 images" in text and "not tested" in text and "nan" not in text.lower().split()
    json.dumps(one.to_dict(), allow_nan=False)


def test_a_class_without_images(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "run", rows=3, classes=["a", "b", "c", "d", "e"], thumbnails=False)
    empty = next(n for n in range(5) if not Slow(folder).of(n, "predicted").size)
    with pytest.raises(ValueError, match="no image of .* was predicted as"):
        profile_batch(folder, classes=[empty])


def test_all_images_unreadable_and_no_name(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "bad", rows=20, errors=1.0, metadata={"a": "xy"}, thumbnails=False)
    profile = profile_batch(folder, compare="a")
    assert profile.errors == profile.images == 20 and not profile.classes
    assert any("no image could be read" in line for line in profile.lines())
    assert not any("--class" in line for line in profile.lines())
    nameless = profile_batch(make_batch(tmp_path / "none", rows=60, classes=2, concepts=0, thumbnails=False))
    assert nameless.concepts == (None,) and "(unnamed)" in "\n".join(nameless.lines())


def test_a_run_that_is_not_finished(tmp_path: Path) -> None:
    folder = make_batch(tmp_path / "run", rows=20, finished=False, thumbnails=False)
    with pytest.raises(ArtifactError, match="not finished; .*--resume"):
        profile_batch(folder)
    with pytest.raises(ArtifactError, match="no run.json"):
        profile_batch(tmp_path)
    with pytest.raises(ArtifactError, match="nowhere: there is no such folder"):
        profile_batch(tmp_path / "nowhere")


def test_damaged_runs(tmp_path: Path) -> None:
    whole = make_batch(tmp_path / "run", rows=40, part=20, classes=2, thumbnails=False)

    def broken(name: str, change: Any) -> Path:
        folder = tmp_path / name
        shutil.copytree(whole, folder)
        change(folder)
        return folder

    def rewrite(folder: Path, column: str, values: Any) -> None:
        path = folder / "predictions" / "part-000001.parquet"
        table = pq.read_table(path)
        place = table.column_names.index(column)
        pq.write_table(
            table.set_column(place, table.field(place), pa.array(values(table), table.field(place).type)),
            path,
        )

    def contributions(make: Any) -> Any:
        return lambda table: [make(row) for row in table["contribution"].to_pylist()]

    cases = {
        "parts": (lambda f: (f / "predictions" / "part-000001.parquet").unlink(), "its parts hold 20"),
        "cut": (lambda f: (f / "predictions" / "part-000001.parquet").write_bytes(b"PAR1"), "cannot be read"),
        "units": (
            lambda f: (f / "units.csv").write_text("unit,concept,category\n0,a,b\n"),
            "each of 16 units",
        ),
        "nounits": (lambda f: (f / "units.csv").unlink(), "table of units"),
        "nan": (lambda f: rewrite(f, "contribution", contributions(lambda row: [math.nan] * 16)), "finite"),
        "short": (
            lambda f: rewrite(f, "contribution", contributions(lambda row: row[1:])),
            "16 units in every list",
        ),
        "null": (lambda f: rewrite(f, "contribution", contributions(lambda row: None)), "a list in 20 rows"),
        "class": (lambda f: rewrite(f, "predicted", lambda table: [5] * 20), "classes from 0 to 1"),
    }
    for name, (change, said) in cases.items():
        with pytest.raises(ArtifactError, match=said):
            profile_batch(broken(name, change))


# --- the shapes in which it is handed on ---


def test_frames(run: Path) -> None:
    profile = profile_batch(run, compare="right")
    frame, gaps = profile.to_frame(), profile.compare_frame()
    assert list(frame.columns) == [
        "class", "number", "concept", "category", "units", "images", "mean", "low", "high", "share", "positive"
    ]  # fmt: skip
    assert len(frame) == 3 * 6 and len(gaps) == 2 * 3 * 6
    row = frame[(frame["class"] == "doctor") & (frame["concept"] == "concept 1")].iloc[0]
    assert row["mean"] == profile.classes[1].mean[1] and row["images"] == profile.classes[1].images
    assert frame["concept"].isna().sum() == 3
    row = gaps[(gaps["second"] == "missed") & (gaps["number"] == 2) & gaps["concept"].isna()].iloc[0]
    assert row["p"] == profile.comparisons[0].classes[2].p[-1]
    assert len(profile_batch(run).compare_frame()) == 0
    assert list(profile_batch(run).compare_frame().columns) == list(gaps.columns)


def test_plain_data_is_strict_json_and_complete(run: Path) -> None:
    profile = profile_batch(run, compare="gender", top=2)
    facts = json.loads(json.dumps(profile.to_dict(), allow_nan=False))
    assert [one["name"] for one in facts["classes"]] == list(CLASSES)
    first = facts["classes"][0]
    near(first["mean"], profile.classes[0].mean)
    assert first["for"] == profile.strongest(profile.classes[0], "for") and len(first["for"]) <= 2
    assert all(first["mean"][place] > 0 for place in first["for"])
    assert all(first["mean"][place] < 0 for place in first["against"])
    row, place = facts["comparisons"][0]["ranked"][0]
    assert (
        facts["comparisons"][0]["classes"][row]["name"] == "nurse"
        and facts["concepts"][place]["name"] == "concept 2"
    )


def test_lines(run: Path, tmp_path: Path) -> None:
    text = "\n".join(profile_lines(profile_batch(run, compare="gender", top=1)))
    for said in ("nurse: ", "share", "(unnamed)", "gender: f − m", "< 0.001", "not why"):
        assert said in text
    assert "nan" not in text.lower().split()
    many = make_batch(tmp_path / "many", rows=400, units=12, classes=9, thumbnails=False)
    lines = profile_batch(many).lines()
    assert sum(line.startswith("class ") for line in lines) == 1 + 9  # a head and a line for each


def test_saved_as_an_artifact(run: Path, tmp_path: Path) -> None:
    profile = profile_batch(run, compare="gender", classes=["nurse"])
    profile.save(tmp_path / "out", command=["neuro-explain", "profile", "run"])
    manifest = read_artifact(tmp_path / "out", "profile")
    assert manifest["options"] == {"of": "predicted", "compare": "gender", "class": ["nurse"], "top": 5}
    assert read_json(tmp_path / "out" / "profile.json") == json.loads(json.dumps(profile.to_dict()))
    with pytest.raises(ArtifactError, match="already holds"):
        profile.save(tmp_path / "out")
    profile.save(tmp_path / "out", overwrite=True)


# --- the command ---


def test_the_command(run: Path, tmp_path: Path) -> None:
    def call(*arguments: str) -> str:
        done = CliRunner().invoke(command, [str(run), *arguments], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    assert call() == "\n".join(profile_batch(run).lines()) + "\n"
    out = tmp_path / "out"
    facts = json.loads(
        call("--class", "nurse", "--class", "2", "--compare", "gender", "--json", "--out", str(out))
    )
    assert [one["name"] for one in facts["classes"]] == ["nurse", "patient"]
    assert (out / "index.html").is_file() and read_json(out / "profile.json") == facts
    assert call("--of", "label", "--top", "1", "--out", str(out), "--overwrite").endswith(
        f"{out / 'index.html'}\n"
    )
    with pytest.raises(ArtifactError, match="--overwrite"):
        call("--out", str(out))
    assert CliRunner().invoke(command, [str(run), "--of", "nothing"]).exit_code == 2


# --- size ---


@pytest.mark.slow
def test_memory_does_not_grow_with_the_run(tmp_path: Path) -> None:
    small = make_batch(tmp_path / "small", rows=1024, units=1024, classes=5, thumbnails=False)
    large = tmp_path / "large"
    shutil.copytree(small, large)
    copies = 60
    for number in range(2, 2 * copies):
        part = f"part-{number:06d}.parquet"
        (large / "predictions" / part).hardlink_to(small / "predictions" / f"part-{number % 2:06d}.parquet")
    plan = read_json(large / "run.json")
    plan["inputs"]["count"] *= copies
    (large / "run.json").write_text(json.dumps(plan))
    code = (
        "import resource, sys; from neuro_explain.profile import profile_batch; profile_batch(sys.argv[1], of='label');"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = [
        int(subprocess.run([sys.executable, "-c", code, folder], capture_output=True, check=True).stdout)
        for folder in (small, large)
    ]
    # the contributions of the large run are 240 MiB
    assert peaks[1] - peaks[0] < 60 * 1024, peaks
