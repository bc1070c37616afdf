"""The public names are a promise: a change to them is a change to this list."""

from __future__ import annotations

import neuro_explain as nx

PUBLIC = [
    "ArtifactError",
    "Caption",
    "Captioner",
    "Cluster",
    "Concept",
    "ConceptDataset",
    "Dissection",
    "Explanation",
    "GradCAM",
    "Inputs",
    "Model",
    "NameChanges",
    "Names",
    "Preprocess",
    "QuestionAnswerer",
    "Target",
    "TargetEvidence",
    "Tower",
    "UnitEvidence",
    "UnitName",
    "Vocabulary",
    "WordNames",
    "__version__",
    "compare_names",
    "dissect",
    "dissect_layers",
    "explain",
    "explain_answer",
    "explain_batch",
    "explain_caption",
    "grad_cam",
    "list_models",
    "load_answerer",
    "load_captioner",
    "load_clip",
    "load_explanation",
    "load_model",
    "load_names",
    "name_by_words",
    "open_concepts",
    "open_inputs",
    "write_report",
]


def test_the_public_names_are_frozen() -> None:
    assert nx.__all__ == PUBLIC
    assert all(getattr(nx, name) is not None for name in PUBLIC)


def test_every_public_name_is_documented() -> None:
    for name in PUBLIC:
        if name != "__version__":
            assert (getattr(nx, name).__doc__ or "").strip(), name
