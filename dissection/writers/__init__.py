"""Concept sets out: the layouts of others, written so that the readers of this package give the same set back.

| function | layout | from |
|---|---|---|
| `write_broden` | Broden 1: every category, pixels and whole images | any `ConceptDataset` |
| `write_coco_panoptic` | COCO panoptic: things and stuff, one segment each | `PanopticImage`s |

Each layout stands at the top of its module. Both write a new folder, whole or not at all, and refuse one that exists.
"""

from dissection.writers.broden import write_broden
from dissection.writers.coco import PanopticImage, write_coco_panoptic
from dissection.writers.folder import Group, Written, check_new
from dissection.writers.synonyms import synonyms_of

__all__ = [
    "Group",
    "PanopticImage",
    "Written",
    "check_new",
    "synonyms_of",
    "write_broden",
    "write_coco_panoptic",
]
