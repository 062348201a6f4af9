"""Many recordings at once are the same recordings as one by one."""

import numpy as np
from numpy.typing import NDArray

from demo.dataset import SEEDS, Features, features, simulate_many
from demo.scene import SCENE, simulate


def mean_over_time(batch: Features) -> NDArray[np.float32]:
    return np.asarray(batch.mean(axis=-1))


def test_chunks_and_processes_change_nothing() -> None:
    count = 7
    table = simulate_many(SCENE, 11, count, mean_over_time, chunk=3)
    assert table.positions.shape == (count, 2)
    assert table.levels_dbfs.shape == (count, 3)
    assert table.reduced.shape == (count, 3, 128)
    for index in range(count):
        alone = simulate(SCENE, 11, index)
        np.testing.assert_array_equal(table.positions[index], alone.position)
        np.testing.assert_array_equal(table.levels_dbfs[index], alone.levels_dbfs)
        np.testing.assert_allclose(
            table.reduced[index], features(alone.iq).mean(axis=-1), rtol=1e-5, atol=1e-6
        )


def test_features_keep_the_difference_in_level_between_receivers() -> None:
    capture = simulate(SCENE, 11, 0)
    peaks = features(capture.iq).max(axis=(1, 2))
    assert np.argsort(peaks).tolist() == np.argsort(capture.levels_dbfs).tolist()


def test_every_series_has_a_seed_of_its_own() -> None:
    seeds = [SEEDS.training, SEEDS.calibration, SEEDS.test, SEEDS.harder, SEEDS.samples]
    assert len(set(seeds)) == len(seeds)
