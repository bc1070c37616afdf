"""Who is asked what, and which way round? Balanced, and by chance within that.

    sheets = assign(questions, raters=36, ratings=9, generator=np.random.default_rng(0))
    sheets[0]                   # the first rater's (question, flipped) in the order in which they are asked

Each question is asked of exactly `ratings` raters. With at least ratings × methods raters, nobody sees one class of one
photograph under two methods; with twice as many, nobody sees a photograph twice. Loads are even, and so are, as far as
may be, the methods that a rater sees. Each question is flipped (choices, or pictures, the other way round) for half of
its raters, and each rater has half of the own flipped: to within one, both exactly. No answer has any part in this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from neuro_explain.study.question import Question, methods_of

Sheet = list[tuple[int, bool]]
"""A rater's questions: number, and whether it is flipped."""

# What is avoided, the worst first; each outweighs all that follow.
_SAME_CLASS, _SAME_IMAGE, _LOAD, _SAME_METHOD = 1e9, 1e6, 1e3, 1.0


def assign(
    questions: Sequence[Question], *, raters: int, ratings: int, generator: np.random.Generator
) -> list[Sheet]:
    """The sheets of all raters.

    Args:
        questions: each photograph, category and method once.
        raters: how many there are.
        ratings: raters of each question.
        generator: of all that is left to chance.

    Raises:
        ValueError: fewer raters than ratings, none of either, a question twice, or raters without a question.
    """
    cells: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, question in enumerate(questions):
        cells[question.image][question.category].append(number)
    keys = {(question.image, question.category, question.method) for question in questions}
    if len(keys) < len(questions):
        raise ValueError("questions: one photograph, category and method comes twice; ask it once")
    if not 1 <= ratings <= raters:
        raise ValueError(f"ratings: expected from 1 to {raters}, as many as there are raters, got {ratings}")
    if raters > len(questions) * ratings:
        raise ValueError(
            f"raters: expected at most {len(questions) * ratings}, as many as there are ratings, got {raters}; some "
            "would have nothing to do"
        )
    pairs = _pairs(questions, cells, raters, ratings, generator)
    flipped = halved([question for question, _ in pairs], [rater for _, rater in pairs], generator)
    sheets: list[Sheet] = [[] for _ in range(raters)]
    for (question_number, rater), turned in zip(pairs, flipped, strict=True):
        sheets[rater].append((question_number, turned))
    return [[sheet[place] for place in generator.permutation(len(sheet))] for sheet in sheets]


def _pairs(
    questions: Sequence[Question],
    cells: dict[str, dict[str, list[int]]],
    raters: int,
    ratings: int,
    generator: np.random.Generator,
) -> list[tuple[int, int]]:
    """(question, rater), `ratings` of each question."""
    methods = methods_of(questions)
    load = np.zeros(raters)
    per_method = np.zeros((len(methods), raters))
    pairs = []
    images = list(cells)
    for image in (images[place] for place in generator.permutation(len(images))):
        seen = np.zeros(raters)
        classes = list(cells[image].values())
        for of_class in (classes[place] for place in generator.permutation(len(classes))):
            seen_class = np.zeros(raters)
            order = [of_class[place] for place in generator.permutation(len(of_class))]
            # as many questions at a time as can be given to different raters
            wave = max(1, raters // ratings)
            for part in (order[start : start + wave] for start in range(0, len(order), wave)):
                common = _SAME_CLASS * seen_class + _SAME_IMAGE * seen + _LOAD * (load - load.min())
                rows = [methods.index(questions[number].method) for number in part]
                cost = common + _SAME_METHOD * (per_method[rows] - per_method[rows].min()) ** 2
                cost = np.repeat(cost, ratings, axis=0) + generator.random((len(part) * ratings, raters)) / 2
                for slot, rater in zip(*linear_sum_assignment(cost), strict=True):
                    pairs.append((part[slot // ratings], int(rater)))
                    per_method[rows[slot // ratings], rater] += 1
                    for counts in (seen_class, seen, load):
                        counts[rater] += 1
    return pairs


def halved(left: Sequence[int], right: Sequence[int], generator: np.random.Generator) -> NDArray[np.bool_]:
    """A half of the edges of a two-sided graph, which takes half of the edges of every node, to within one.

    Nodes with an odd number of edges are joined to one more node of the other side; then all edges lie on closed walks,
    each of an even length, along which every other edge is taken.

    Args:
        left, right: the ends of each edge, numbered on each side.
        generator: of where a walk begins.
    """
    ends = [(("left", one), ("right", other)) for one, other in zip(left, right, strict=True)]
    edges: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, (one, other) in enumerate(ends):
        edges[one].append(number)
        edges[other].append(number)
    odd = [node for node, own in edges.items() if len(own) % 2]
    extra = {"left": ("right", -1), "right": ("left", -1)}
    added = [(node, extra[node[0]]) for node in odd]
    if sum(node[0] == "left" for node in odd) % 2:
        added.append((extra["left"], extra["right"]))  # the two nodes that were added are odd themselves
    for one, other in added:
        edges[one].append(len(ends))
        edges[other].append(len(ends))
        ends.append((one, other))
    for own in edges.values():
        generator.shuffle(own)
    taken = np.zeros(len(ends), np.bool_)
    used = np.zeros(len(ends), np.bool_)
    for start in edges:
        walk = _walk(start, edges, ends, used)
        first = int(generator.integers(2))
        taken[walk[first::2]] = True
    return taken[: len(left)]


def _walk(
    start: tuple[str, int],
    edges: dict[tuple[str, int], list[int]],
    ends: Sequence[tuple[tuple[str, int], tuple[str, int]]],
    used: NDArray[np.bool_],
) -> list[int]:
    """Edges of a closed walk through all that can be reached from a node over unused ones, in order."""
    walk: list[int] = []
    stack: list[tuple[tuple[str, int], int | None]] = [(start, None)]
    while stack:
        node, came_by = stack[-1]
        while edges[node] and used[edges[node][-1]]:
            edges[node].pop()
        if edges[node]:
            edge = edges[node].pop()
            used[edge] = True
            one, other = ends[edge]
            stack.append((other if node == one else one, edge))
        else:
            stack.pop()
            if came_by is not None:
                walk.append(came_by)
    return walk
