"""The embedded world: drawn, annotated scenes in which the truth is known, and small networks trained on them.

scene = make_scene(seed=1, index=0)
scene.image(128), scene.labels(128), scene.graph()
world = Diorama(seed=1, count=500)          # a concept set
"""

from neuro_explain.diorama.dataset import Diorama
from neuro_explain.diorama.scene import Scene, make_scene

__all__ = ["Diorama", "Scene", "make_scene"]
