"""The commands `train`, `evaluate` and `predict`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from ..command import Command, Outcome, interruption, log, start_keras
from ..errors import Error, UsageError
from ..options import (
    BaseRecipeOption,
    DataDirOption,
    ModelOptions,
    NetworkArgument,
    RecipeOptions,
    TrainingDataOptions,
)
from ..tables import table

if TYPE_CHECKING:
    from ..data.preprocessing import UInt8Images
    from .config import Training
    from .evaluate import Probabilities
    from .hosts.cluster import Cluster
    from .predict import Classifier


@dataclass(frozen=True, kw_only=True)
class Train(
    BaseRecipeOption,
    RecipeOptions,
    ModelOptions,
    TrainingDataOptions,
    NetworkArgument,
    Command,
):
    """Train a network, by default by its paper's recipe.

    The same command resumes a training that was interrupted or killed.
    """

    data: str
    """Data set: digits, fashion_mnist, mnist, cifar10 or cifar100; or folder:PATH. The folder has
    train/ and val/ or test/, each with a sub-folder of images for each class; or it has the
    sub-folders of the classes, and is split. Or csv:FILE with the columns path, label and, if you
    split the images, split; or npz:FILE with the arrays x_train, y_train, x_test, y_test or images,
    labels; or tfds:NAME, a data set of TensorFlow Datasets."""
    out: Path
    """Run folder to write."""
    seed: int = 0
    """Seed of the initial weights, the order of the images and their augmentation."""
    image_size: int | None = None
    """Side of the network's input; by default that of the pretrained weights, the data set or the
    paper."""
    weights: Path | None = None
    """Pretrained weights of the same network: a run folder, .keras or .weights.h5 file, or a
    trained network such as resnet20:fashion_mnist. The options, input size and normalization of a
    run are taken over. A residual network also takes those of a shallower one."""
    freeze_until: str | None = None
    """Freeze the pretrained weights up to and including this row of the network, as `summary` names
    it."""
    class_weights: str | None = None
    """`balanced` weights the loss of each image by the inverse frequency of its class among the
    training images."""
    validation_images: int | None = None
    """Hold out this many training images of a named data set for validation; by default 180 of
    digits and 5,000 of the others."""
    tensorboard: bool = False
    """Also write logs for TensorBoard: scalars, the images of the first batch, and confusion
    matrices of the validation images."""
    save_every: int | None = None
    """Save the training also within epochs, each time after this many steps. Without it, a training
    that is killed resumes after its last complete epoch; Ctrl-C and SIGTERM always save it."""
    workers: int = 0
    """Processes that decode the image files of the next batches; with 0, threads do. The weights do
    not depend on it."""
    skip_broken: bool = False
    """Train without the image files that cannot be read; config.json lists them."""
    cache: Path | None = None
    """Folder for a file of the decoded images, from which the epochs and later trainings read
    them."""
    backend: Literal["tensorflow", "jax"] | None = None
    """Backend of Keras, by default tensorflow. With jax, each batch is divided among all
    accelerators, of this host and of others."""
    hosts: int | None = None
    """Number of processes that train together, usually one on each host. All are started with the
    same command; SLURM, MPI, Kubernetes and Cloud TPU give this and the next two options to them.
    Needs --backend jax."""
    process_id: int | None = None
    """Number of this process, from 0. Process 0 alone writes the run folder."""
    coordinator: str | None = None
    """Host and port at which process 0 waits for the others, for example node1:6006."""
    local_processes: int | None = None
    """Start this many processes here that train together, to try a training on several hosts."""
    join_timeout: float = 300.0
    """Seconds in which all processes must have come."""

    def __call__(self) -> Outcome:
        training = self._training()
        clusters = self._clusters()
        if clusters:
            from .hosts.setup import Setup
            from .hosts.supervisor import supervise
            from .hosts.worker import Work

            options = json.loads(json.dumps(training.to_dict()))
            options["hosts"] = clusters[0].num_processes
            options |= {name: getattr(self, name) for name in ("save_every", "skip_broken")}
            work = Work(partial(start_keras, "jax"), self.train_together)
            return supervise(work, clusters, Setup.of(options), self.join_timeout)
        start_keras(self.backend)
        if self.backend == "jax":
            from .hosts.devices import distribute

            distribute()
        try:
            return self._train(training, self.out)
        except KeyboardInterrupt as error:
            return self._interrupted(error)

    def train_together(self, cluster: Cluster, coordinator: str, folder: Path) -> Outcome:
        """Train as one of several processes; see `hosts.worker.Work`."""
        from .hosts.devices import joined

        training = self._training()
        with joined(cluster, coordinator):
            try:
                return self._train(training, folder / "run" if cluster.process else self.out)
            except KeyboardInterrupt as error:
                if not error.args:  # before all processes can agree to stop
                    raise
                return self._interrupted(error)

    def _clusters(self) -> list[Cluster]:
        """Return the processes that are started here to train together, or none.

        Raises:
            UsageError: Options do not fit together.
            Error: A package is missing.
        """
        given = [
            f"--{name.replace('_', '-')}"
            for name in ("hosts", "process_id", "coordinator", "local_processes")
            if getattr(self, name) is not None
        ]
        if self.backend != "jax":
            if given:
                raise UsageError(f"{given[0]} needs --backend jax.")
            return []
        require_package("jax", "pip install 'cnn-keras[jax]'")
        from .hosts.cluster import find_cluster, local_clusters

        if self.local_processes is None:
            found = find_cluster(self.hosts, self.process_id, self.coordinator)
            clusters = [found] if found else []
        else:
            count = self.local_processes
            if count < 1 or len(given) > 1:
                raise UsageError(
                    "--local-processes must be 1 or more, and without --hosts, --process-id and "
                    "--coordinator."
                )
            clusters = local_clusters(count)
        if clusters and self.tensorboard:
            raise UsageError("--tensorboard is for a training in one process: leave it out.")
        return clusters

    def _training(self) -> Training:
        """Return what to train.

        Raises:
            UsageError: An option is wrong.
            Error: A package is missing.
        """
        from .config import Training

        training = Training.of(
            self.name,
            self.data,
            recipe=self.recipe_overrides(),
            base_recipe=self.recipe,
            seed=self.seed,
            options=self.model_options(),
            train_images=self.train_images,
            image_size=self.image_size,
            weights=self.weights,
            freeze_until=self.freeze_until,
            class_weights=self.class_weights,
            validation_images=self.validation_images,
        )
        if self.save_every is not None and self.save_every < 1:
            raise UsageError(f"--save-every must be 1 or more, not {self.save_every}.")
        if self.tensorboard:
            require_package("tensorboard", "pip install tensorboard")
        return training

    def _interrupted(self, error: KeyboardInterrupt) -> Outcome:
        how, exit_code = interruption(error)
        log(f"{how.capitalize()}; the same command resumes {self.out} {error}".rstrip() + ".")
        return Outcome({"run": str(self.out), "interrupted": True}, "", exit_code)

    def _train(self, training: Training, out: Path) -> Outcome:
        from ..data.loading.options import Loading
        from .train import train

        loading = Loading(self.workers, self.skip_broken, self.cache)
        run = train(
            training,
            out,
            self.data_dir,
            self.tensorboard,
            loading,
            save_every=self.save_every or 0,
        )
        if not run.saves_models:  # another process has the results
            return Outcome({"run": str(self.out)}, "")
        metrics = run.metrics
        text = (
            f"{self.out}: test accuracy {metrics['test']['accuracy']:.4f} on "
            f"{metrics['test']['num_images']} images, validation "
            f"accuracy {metrics['validation']['accuracy']:.4f}, trained in "
            f"{metrics['train_seconds']:.0f} s"
        )
        return Outcome({"run": str(self.out), **metrics}, text)


@dataclass(frozen=True, kw_only=True)
class Evaluate(DataDirOption, Command):
    """Evaluate a run's network on a split of its data set."""

    run: tyro.conf.Positional[Path]
    """Run folder, or a trained network such as resnet20:fashion_mnist."""
    split: str = "test"
    """train, validation or test."""
    crops: Literal[1, 10] | None = None
    """Average the probabilities of several crops of each image: 1 takes the central 224 pixels, for
    an input of 224, of an image whose shorter side is rescaled to 256; 10 takes also the corners of
    the central square, and all of them mirrored. By default the whole central square becomes the
    input."""

    def __call__(self) -> Outcome:
        from .evaluate import confusion_matrix, scores
        from .predict import predict_crops
        from .run_folder import Run

        run = Run.open(self.run)
        start_keras()
        dataset = run.raw_dataset(self.data_dir)
        dataset = (run.select_images if self.crops else run.prepare_dataset)(dataset)
        split = dataset.split(self.split)
        if not dataset.labeled:
            raise UsageError(
                f"The {dataset.name} of {self.run} have no labels: import its weights, or export "
                "its model, with --data folder:PATH."
            )
        if self.crops == 10 and not dataset.allows_flip:
            raise UsageError(
                f"Five of ten crops are mirrored, which changes classes of {dataset.name}: use "
                "--crops 1."
            )
        if self.crops:
            probabilities = predict_crops(run.model(), run.preprocessing, split, self.crops)
        else:
            probabilities = run.predict(split)
        confusion = confusion_matrix(probabilities, split.labels)
        found = scores(probabilities, split.labels)
        document = {
            "run": str(self.run),
            "split": self.split,
            **({"crops": self.crops} if self.crops else {}),
            **found,
            "confusion_matrix": confusion.tolist(),
        }
        rows = [
            (name, int(row.sum()), f"{row[i] / max(row.sum(), 1):.4f}")
            for i, (name, row) in enumerate(zip(run.classes, confusion, strict=True))
            if row.any()  # a network may have classes that its data set lacks
        ]
        rows.append(("all", found["num_images"], f"{found['accuracy']:.4f}"))
        rows.append(("balanced", found["num_images"], f"{found['balanced_accuracy']:.4f}"))
        columns = ("class", "images", "accuracy")
        return Outcome(document, table(columns, rows, title=f"{self.run}, {self.split} split"))


@dataclass(frozen=True, kw_only=True)
class Predict(Command):
    """Classify images with a run's network.

    A warning on stderr reports images that look inverted, for example black digits on white paper
    for a network of white digits on black.
    """

    source: tyro.conf.Positional[Path]
    """Run folder, or a trained network such as resnet20:fashion_mnist."""
    images: tyro.conf.Positional[tuple[Path, ...]]
    """Images of any format, mode, orientation and size that Pillow reads."""
    top: int = 3
    """Number of classes to print for each image."""
    invert: bool = False
    """Invert the images before they are classified: black becomes white."""
    autocontrast: bool = False
    """Stretch the contrast of each image: its background becomes black and its ink white, or the
    reverse, as in the training images. For photographs of drawings and handwriting."""

    def __call__(self) -> Outcome:
        from ..data.gray_levels import looks_inverted, stretch_contrast, training_background
        from ..data.loading.image_files import read_images
        from .evaluate import top_k

        if not self.images:
            raise UsageError("Name one image or more.")
        if self.top < 1:
            raise UsageError(f"--top must be 1 or more, not {self.top}.")
        classifier = self.classifier()
        background = training_background(classifier.preprocessing)
        if self.autocontrast and background is None:
            raise UsageError(
                "--autocontrast is for networks of gray drawings or scans: the background of the "
                f"training images of {self.source} is not known."
            )
        pixels = read_images(self.images, classifier.preprocessing.shape)
        if self.invert:
            pixels = 255 - pixels
        inverted = looks_inverted(pixels, classifier.preprocessing).tolist()
        if self.autocontrast and background:
            pixels = stretch_contrast(pixels, background)
        probabilities = classifier.predict(pixels)
        predictions = [top_k(row, classifier.classes, self.top) for row in probabilities]
        if any(inverted):
            self._warn(inverted, background)
        document = [
            {
                "image": str(path),
                "top": [guess._asdict() for guess in guesses],
                "looks_inverted": is_inverted,
            }
            for path, guesses, is_inverted in zip(self.images, predictions, inverted, strict=True)
        ]
        rows = [
            (str(path), ", ".join(f"{g.label} {g.probability:.3f}" for g in guesses))
            for path, guesses in zip(self.images, predictions, strict=True)
        ]
        return Outcome(document, table(("image", "classes"), rows))

    @property
    def is_tflite(self) -> bool:
        """Whether the source is a .tflite file, which may be missing."""
        return self.source.suffix.lower() == ".tflite" and not self.source.is_dir()

    def classifier(self) -> Classifier:
        """Return the network of the run folder.

        Raises:
            Error: There is no such run, or it is broken.
        """
        from .predict import Classifier
        from .run_folder import Run

        if self.is_tflite:
            raise UsageError(
                f"{self.source} is a TFLite file: use `cnn-keras predict`, which reads it."
            )
        run = Run.open(self.source)

        def predict(images: UInt8Images) -> Probabilities:
            start_keras()
            return run.predict(images)

        return Classifier(run.preprocessing, run.classes, predict)

    def _warn(self, inverted: list[bool], background: str | None) -> None:
        """Warn of inverted images in one line."""
        count, path = sum(inverted), self.images[inverted.index(True)]
        images = f"{count} of {len(inverted)} images, for example {path}," if inverted[1:] else path
        log(
            f"{images} look{'s' * (count == 1)} inverted: the training images have a {background} "
            f"background; {'leave out' if self.invert else 'give'} --invert."
        )


def require_package(name: str, command: str) -> None:
    """Check that an optional package is installed.

    Args:
        name: The package.
        command: Installs it.

    Raises:
        Error: It is not installed.
    """
    from importlib.util import find_spec

    if find_spec(name) is None:
        raise Error(f"This needs {name}: {command}.")
