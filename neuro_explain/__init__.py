"""Which named neurons decided?

import neuro_explain as nx
model = nx.load_model("resnet18", weights="resnet18.pth")
names = nx.dissect(model, nx.open_concepts("broden:data/broden1_224"))
why = nx.explain(model, "kitchen.jpg", names)
print(why.text)
why.save("runs/kitchen")
nx.write_report("runs/kitchen")
"""

from importlib import metadata as _metadata

import dissection as _dissection
import reports as _reports

# The names of these two packages are generic: make sure that they are ours before anything goes wrong in them.
for _package in (_dissection, _reports):
    if getattr(_package, "DISTRIBUTION", None) != "neuro-explain":
        raise ImportError(
            f"the package {_package.__name__!r} that Python finds is {_package.__file__}, not the one that comes "
            "with neuro-explain; remove the other one, or put neuro-explain first on the path"
        )

from dissection.artifact import ArtifactError
from dissection.concepts import Concept, ConceptDataset
from dissection.names import Names, UnitName
from dissection.result import Dissection
from neuro_explain.batch import explain_batch
from neuro_explain.captioning import Caption, Captioner
from neuro_explain.clip import load_clip
from neuro_explain.cluster import Cluster
from neuro_explain.evidence import TargetEvidence, UnitEvidence
from neuro_explain.explain import explain
from neuro_explain.explain_answer import explain_answer
from neuro_explain.explain_caption import explain_caption
from neuro_explain.explanation import Explanation, load_explanation
from neuro_explain.gradcam import GradCAM, grad_cam
from neuro_explain.inputs import Inputs, open_inputs
from neuro_explain.language.vocabulary import Vocabulary
from neuro_explain.model import Model
from neuro_explain.name_compare import NameChanges, compare_names
from neuro_explain.names import dissect, dissect_layers, load_names, open_concepts
from neuro_explain.preprocess import Preprocess
from neuro_explain.report import write_report
from neuro_explain.targets import Target
from neuro_explain.tower import Tower
from neuro_explain.vqa import QuestionAnswerer
from neuro_explain.word_names import WordNames, name_by_words
from neuro_explain.zoo import list_models, load_answerer, load_captioner, load_model

__version__ = _metadata.version("neuro-explain")

__all__ = [
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
