"""Digits by a neural network, a multi-layer perceptron."""

from _data import Digits
from _training import Classifier
from sklearn.neural_network import MLPClassifier

from mlpipeline import Versions


class Network(Classifier):
    def make_classifier(self, version):
        return MLPClassifier(
            hidden_layer_sizes=version["layers"],
            learning_rate_init=version["learning_rate"],
            random_state=version["seed"],
        )


# What all versions share; each may override it. `layers` and `seed` are words of this script.
versions = Versions(
    dataloader=Digits,
    learning_rate=0.001,
    batch_size=32,
    epoch_count=10,
    model_dir_suffix=True,
    seed=0,
)
versions.add("small", layers=[32], learning_rate=0.003)
versions.add("deep", layers=[64, 64])

MODEL = Network(versions, allow_delete_model_dir=True)
