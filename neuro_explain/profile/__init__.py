"""Over all images of a batch run: which concepts speak for and against each class, and where do two groups differ?

    profile = profile_batch("runs/batch", compare="gender")
    print("\n".join(profile.lines()))
    profile.save("runs/profile")

For image i and a class, the contribution of concept g is the sum over the units of that name,

    q_ig = Σ_{k: name(k) = g} α_ik Σ_xy A_ik(x, y),

and all units without a name are one row, "(unnamed)". Of each class's n images there are given

    mean       (1/n) Σ_i q_ig, with its 95 % interval  mean ± t(0.975, n − 1) · s / √n  (none for n < 10)
    share      (1/n) Σ_i |q_ig| / Σ_h |q_ih|: how much of all that is said, either way, is said by this concept;
               the shares of a class add up to 1 (an image on which nothing contributes counts as 0)
    positive   the share of images with q_ig > 0

Two groups of a class's images are compared by the difference of their means: Welch's t-test, Cohen's d, and
Benjamini and Hochberg's q over every test that was made. Groups of fewer than ten images are not tested. The intervals
and tests take images as independent; frames of one video are not. A difference says what the network used, not why.
"""

from __future__ import annotations

from neuro_explain.profile.profiling import profile_batch
from neuro_explain.profile.result import ClassProfile, Comparison, Difference, Profile, Side

__all__ = ["ClassProfile", "Comparison", "Difference", "Profile", "Side", "profile_batch"]
