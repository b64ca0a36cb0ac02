"""The smallest model: learns one number, the mean of what it is shown."""

from mlpipeline import DataLoader, Model, Versions


class Numbers(DataLoader):
    def get_train_input(self, mode=None, **kwargs):
        return [2, 4, 4, 4, 5, 5, 7, 9]

    def get_test_input(self, **kwargs):
        return [3, 5, 7]

    def get_train_sample_count(self):
        return 8

    def get_test_sample_count(self):
        return 3


class Mean(Model):
    def pre_execution_hook(self, version, model_dir, exec_mode):
        self.mean = 0.0

    def train_model(self, input_fn, steps):
        rate = self.current_version["learning_rate"]
        for step in self.track(range(steps)):
            number = input_fn[step % len(input_fn)]
            self.mean += rate * (number - self.mean)

    def evaluate_model(self, input_fn, steps):
        errors = [abs(number - self.mean) for number in input_fn]
        return {"mean": self.mean, "error": sum(errors) / len(errors)}


versions = Versions(dataloader=Numbers, batch_size=1, epoch_count=10)
versions.add("slow", learning_rate=0.01)
versions.add("fast", learning_rate=0.1)

MODEL = Mean(versions)
