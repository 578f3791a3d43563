"""Which pieces of the search are in use. All of them, but where a bench asks what one is worth."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Switches for the ablation. A plan is never made with one of them off.

    inside: fleets are answered by the integer programme; else they are drawn as raw counts.
    cheap: the profiles' prediction is the surrogate's mean and screens designs; else its mean is constant.
    kernel: the surrogate knows load and deployment apart, and their interaction; else one Matern kernel.
    warm: the search starts from the incumbent and from what the last search simulated.
    batch: several designs are simulated between two looks at the surrogate; else one.
    """

    inside: bool = True
    cheap: bool = True
    kernel: bool = True
    warm: bool = True
    batch: bool = True


ALL = Pieces()
