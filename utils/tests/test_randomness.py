import numpy as np

from utils.randomness import epoch_order, generator


def test_the_same_numbers_give_the_same_draws():
    np.testing.assert_array_equal(generator(1, 2, 3, 4).random(9), generator(1, 2, 3, 4).random(9))


def test_neighbours_differ_in_every_coordinate():
    tuples = [(1, 2, 3, 4), (2, 2, 3, 4), (1, 3, 3, 4), (1, 2, 4, 4), (1, 2, 3, 5), (2, 1, 3, 4), (-1, 2, 3, 4)]
    assert len({generator(*numbers).random() for numbers in tuples}) == len(tuples)


def test_numpy_integers_and_large_seeds_are_taken():
    assert generator(np.int64(2**40), 1, np.int32(3)).random() == generator(2**40, 1, 3).random()


def test_first_draws_of_neighbouring_items_are_uniform_and_uncorrelated():
    """4000 uniform draws: mean 1/2 +- 4 * 0.2887 / sqrt(4000) = 0.018; correlations below 4 / sqrt(4000) = 0.063."""
    draws = np.array([generator(0, 1, item).random() for item in range(4000)])
    assert abs(draws.mean() - 0.5) < 0.018
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.063
    other_epoch = np.array([generator(0, 2, item).random() for item in range(4000)])
    assert abs(np.corrcoef(draws, other_epoch)[0, 1]) < 0.063


def test_the_order_of_an_epoch_is_a_permutation_that_changes_with_seed_and_epoch():
    order = epoch_order(0, 1, 100)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(100))
    np.testing.assert_array_equal(order, epoch_order(0, 1, 100))
    assert not np.array_equal(order, epoch_order(0, 2, 100))
    assert not np.array_equal(order, epoch_order(1, 1, 100))


def test_an_order_of_nothing_is_empty():
    assert epoch_order(0, 1, 0).shape == (0,)
