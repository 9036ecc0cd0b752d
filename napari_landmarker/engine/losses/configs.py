"""What each loss can be told: one model for the form, the command line, the file on disk and the docs.

A configuration says its ``kind``; `LossConfig` is any of them. None of this loads torch, before a loss is built.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from napari_landmarker.engine.losses.base import LandmarkLoss

PACKAGE = "napari_landmarker.engine.losses"
#: What a loss compares: whole maps, points, or points with their covariances.
Compared = Literal["maps", "points", "points_and_covariances"]
Distance = Literal["l1", "l2", "smooth-l1"]


class LossConfigBase(BaseModel):
    """One kind of loss and what it can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    #: Its name in `napari_landmarker.engine.losses`.
    loss: ClassVar[str]
    #: Whether maps are logits, read through a softmax of all pixels, or values that are to look like the target.
    logits: ClassVar[bool] = True

    @property
    def compares(self) -> Compared:
        """What it compares."""
        return "maps"

    @property
    def reads_logits(self) -> bool:
        """Whether a network's maps are logits under it: said to be, or read by a soft-argmax."""
        return self.logits or self.compares != "maps"

    def build(self, reduction: Literal["mean", "sum", "none"] = "mean") -> LandmarkLoss:
        """The loss.

        Args:
            reduction: what becomes of its terms; the mean is one over the landmarks that are there.
        """
        options: dict[str, Any] = self.model_dump(exclude={"kind", "of", "distance_weight"})
        made: LandmarkLoss = getattr(import_module(PACKAGE), self.loss)(reduction=reduction, **options)
        return made


class _OnEither(LossConfigBase):
    """A distance that suits maps as well as points; maps are then values that are to look like the target."""

    logits: ClassVar[bool] = False
    of: Literal["maps", "points"] = Field(
        "maps", title="Compares", description="Whole maps, or points: those that are read from the maps, or answered."
    )

    @property
    def compares(self) -> Compared:
        """What it compares."""
        return self.of


class CrossEntropyConfig(LossConfigBase):
    """Softmax cross-entropy between a whole map and its target."""

    loss: ClassVar[str] = "HeatmapCrossEntropyLoss"
    kind: Literal["cross_entropy"] = "cross_entropy"
    distance_weight: float = Field(
        0.0,
        ge=0,
        title="Distance",
        description="Weight of the distance, in heatmap pixels, of the points that are read from the maps; 0: none.",
    )


class NLLConfig(LossConfigBase):
    """How unlikely the true pixels are: for one-hot masks."""

    loss: ClassVar[str] = "NLLLoss"
    kind: Literal["nll"] = "nll"


class L1Config(_OnEither):
    """Absolute differences."""

    loss: ClassVar[str] = "L1Loss"
    kind: Literal["l1"] = "l1"


class L2Config(_OnEither):
    """Squared differences."""

    loss: ClassVar[str] = "L2Loss"
    kind: Literal["l2"] = "l2"


class HuberConfig(_OnEither):
    """Squared where small, absolute where large."""

    loss: ClassVar[str] = "HuberLoss"
    kind: Literal["huber"] = "huber"
    delta: float = Field(1.0, gt=0, title="Change", description="Where squared turns into absolute.")


class WingConfig(_OnEither):
    """Logarithmic where small: small errors keep their weight (Feng et al., CVPR 2018)."""

    loss: ClassVar[str] = "WingLoss"
    kind: Literal["wing"] = "wing"
    omega: float = Field(5.0, gt=0, title="Reach", description="Where logarithmic turns into absolute.")
    epsilon: float = Field(0.5, gt=0, title="Curvature")


class AdaptiveWingConfig(LossConfigBase):
    """A wing for maps that is steeper on peaks than on the ground (Wang et al., ICCV 2019)."""

    loss: ClassVar[str] = "AdaptiveWingLoss"
    logits: ClassVar[bool] = False
    kind: Literal["adaptive_wing"] = "adaptive_wing"
    omega: float = Field(5.0, gt=0, title="Weight")
    epsilon: float = Field(0.5, gt=0, title="Curvature")
    alpha: float = Field(2.1, ge=2, title="Steepness")
    theta: float = Field(0.5, gt=0, title="Change", description="Where logarithmic turns into straight.")


class GaussianHeatmapL2Config(LossConfigBase):
    """Squared differences and the size of learnt widths (Payer et al., MedIA 2019)."""

    loss: ClassVar[str] = "GaussianHeatmapL2Loss"
    logits: ClassVar[bool] = False
    kind: Literal["gaussian_heatmap_l2"] = "gaussian_heatmap_l2"
    alpha: float = Field(5.0, ge=0, title="Width", description="Weight of the squared widths.")


class GeneralizedNormalHeatmapConfig(LossConfigBase):
    """A distance and the size of learnt covariances (Thaler et al., MELBA 2021)."""

    loss: ClassVar[str] = "GeneralizedNormalHeatmapLoss"
    logits: ClassVar[bool] = False
    kind: Literal["generalized_normal_heatmap"] = "generalized_normal_heatmap"
    alpha: float = Field(5.0, ge=0, title="Width", description="Weight of the size of the covariance.")
    distance: Distance = Field("l2", title="Distance")


class _Uncertain(LossConfigBase):
    """A loss of points that are read from a map, with their covariances."""

    @property
    def compares(self) -> Compared:
        """What it compares."""
        return "points_and_covariances"


class EuclideanVarianceConfig(_Uncertain):
    """Distance, and variances near a wanted one (Nibali et al., 2018)."""

    loss: ClassVar[str] = "EuclideanDistanceVarianceReg"
    kind: Literal["euclidean_variance"] = "euclidean_variance"
    alpha: float = Field(1.0, ge=0, title="Weight", description="Of the variances.")
    var_t: float = Field(1.0, gt=0, title="Variance", description="The wanted one, square heatmap pixels.")


class MultivariateGaussianNLLConfig(_Uncertain):
    """Negative log-likelihood of a Gaussian."""

    loss: ClassVar[str] = "MultivariateGaussianNLLLoss"
    kind: Literal["multivariate_gaussian_nll"] = "multivariate_gaussian_nll"


class StarConfig(_Uncertain):
    """Distances along the axes of the covariance (Zhou et al., CVPR 2023)."""

    loss: ClassVar[str] = "StarLoss"
    kind: Literal["star"] = "star"
    omega: float = Field(1.0, ge=0, title="Weight", description="Of the size of the covariance.")
    distance: Distance = Field("l2", title="Distance")


LossConfig = Annotated[
    CrossEntropyConfig
    | NLLConfig
    | L1Config
    | L2Config
    | HuberConfig
    | WingConfig
    | AdaptiveWingConfig
    | GaussianHeatmapL2Config
    | GeneralizedNormalHeatmapConfig
    | EuclideanVarianceConfig
    | MultivariateGaussianNLLConfig
    | StarConfig,
    Field(discriminator="kind"),
]
