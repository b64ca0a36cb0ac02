"""Training and measuring a scikit-learn classifier, batch by batch."""

from typing import Any

from sklearn.metrics import accuracy_score, log_loss

from ds.dataset import Batches

DIGITS = range(10)


def train_step(model: Any, data: Batches, step: int) -> None:
    """One training step, on the batch of that number."""
    images, labels = data.batch(step)
    model.partial_fit(images, labels, classes=DIGITS)


def measure(model: Any, data: Batches) -> dict[str, float]:
    """Loss and accuracy on all samples of `data`."""
    probabilities = model.predict_proba(data.images)
    return {
        "loss": float(log_loss(data.labels, probabilities, labels=DIGITS)),
        "accuracy": float(accuracy_score(data.labels, probabilities.argmax(axis=1))),
    }
