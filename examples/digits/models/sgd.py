"""Digits by logistic regression, trained with stochastic gradient descent."""

from _data import Digits
from _training import Classifier
from sklearn.linear_model import SGDClassifier

from mlpipeline import Versions


class Linear(Classifier):
    def make_classifier(self, version):
        return SGDClassifier(
            loss="log_loss",
            learning_rate="constant",
            eta0=version["learning_rate"],
            random_state=version["seed"],
        )


# What all versions share. With model_dir_suffix=True each keeps its checkpoints in a folder of its
# own, called after the version; `seed` is a word of this script.
versions = Versions(dataloader=Digits, batch_size=64, epoch_count=10, model_dir_suffix=True, seed=0)
# One version for each value; two lists would give one for each pair.
versions.add_grid(learning_rate=[0.3, 0.1, 0.01])

MODEL = Linear(versions, allow_delete_model_dir=True)
