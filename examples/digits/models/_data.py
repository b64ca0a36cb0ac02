"""The data of all models here: scikit-learn's 1,797 hand-written digits of 8×8 pixels.

Names that start with _ are helpers, not model files.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mlpipeline import DataLoader


class Digits(DataLoader):
    def __init__(self):
        images, labels = load_digits(return_X_y=True)
        train_images, test_images, train_labels, test_labels = train_test_split(
            images / 16,  # pixels are 0 to 16
            labels,
            test_size=0.25,
            stratify=labels,
            random_state=0,
        )
        self.train, self.test = (train_images, train_labels), (test_images, test_labels)
        self.add_to_summary(f"{len(train_labels)} digits to train on, {len(test_labels)} to test")

    def get_train_input(self, mode=None, **kwargs):
        return self.train

    def get_test_input(self, **kwargs):
        return self.test

    def get_train_sample_count(self):
        return len(self.train[1])

    def get_test_sample_count(self):
        return len(self.test[1])


def batch_at(step, data, size, seed):
    """The batch of a step, counted from 0 over all epochs.

    It depends on nothing but its arguments, so a resumed run sees what it would have seen.
    """
    images, labels = data
    epoch, position = divmod(step, batches_per_epoch(data, size))
    order = np.random.default_rng((seed, epoch)).permutation(len(labels))
    chosen = order[position * size : (position + 1) * size]
    return images[chosen], labels[chosen]


def batches_per_epoch(data, size):
    return -(-len(data[1]) // size)  # rounded up
