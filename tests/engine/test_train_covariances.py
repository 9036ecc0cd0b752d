"""A network that answers covariances is believed where it was trained to answer them, and nowhere else."""

import numpy as np
import pytest
import torch
from synthetic import make_project, small

from napari_landmarker.engine.losses.configs import L2Config, MultivariateGaussianNLLConfig
from napari_landmarker.engine.models.cholesky_estimator import CholeskyEstimator
from napari_landmarker.engine.models.configs import CholeskyHourglassConfig
from napari_landmarker.engine.predict import Predictor
from napari_landmarker.engine.predict.reading import read_answer
from napari_landmarker.engine.train.fit import train_project

LARGER = 100.0


def head(network):
    """The weights of what answers covariances."""
    heads = [part for part in network.modules() if isinstance(part, CholeskyEstimator)]
    assert heads
    return [weight.detach().clone() for part in heads for weight in part.parameters()]


@pytest.mark.parametrize(("loss", "believed"), [(L2Config(), False), (MultivariateGaussianNLLConfig(), True)])
def test_covariances_that_were_not_trained_are_not_used(tmp_path, loss, believed):
    """Were the answered covariances a hundred times larger, only a prediction that uses them would change."""
    project, _ = make_project(tmp_path, count=4)
    config = small(3, model=CholeskyHourglassConfig(channels_2d=(8, 8)), loss=loss, precision="float32")
    predictor = Predictor.load(project.model_path(train_project(project, config, lambda event: None)))
    network = predictor.members[0].network
    torch.manual_seed(config.seed)
    untrained = config.model.build(2, 1, 2)
    assert any(not torch.equal(*pair) for pair in zip(head(network), head(untrained), strict=True)) == believed
    image = project.image(project.cases[0].id)
    drawn = torch.randn(1, 1, 64, 96, generator=torch.Generator().manual_seed(0))
    answer, covariances = network.forward, []

    def exaggerating(drawn):
        maps, covariance = answer(drawn)
        return maps, LARGER * covariance

    for forward in (answer, exaggerating):
        network.forward = forward
        with torch.no_grad():
            read = read_answer(network(drawn), config, network.stride).covariance.numpy()
        covariances.append((read, predictor.predict(image).landmarks.covariance))
    for plain, exaggerated in zip(*covariances, strict=True):
        assert np.isfinite(plain).all()
        np.testing.assert_allclose(exaggerated, plain * (LARGER if believed else 1.0), rtol=1e-4)
