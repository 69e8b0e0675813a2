from __future__ import annotations

from pathlib import Path

import pytest

from cnn_keras.data.loading.options import Loading
from cnn_keras.errors import Error, UsageError
from cnn_keras.sweep.space import Choices, Range
from cnn_keras.sweep.sweep_file import Pruning, Search, read_sweep

SHORT = 'network = "lenet5"\ndata = "digits"\n'
SPACE = "[space]\nlearning_rate = [0.1, 0.05]\n"
RANDOM = '[search]\nmethod = "random"\ntrials = 2\n'
TPE = '[search]\nmethod = "tpe"\ntrials = 2\n'


def written(folder: Path, text: str) -> Path:
    (folder / "sweep.toml").write_text(text)
    return folder / "sweep.toml"


def test_a_short_file_is_a_grid_of_the_papers_recipe(tmp_path: Path) -> None:
    sweep = read_sweep(written(tmp_path, SHORT + SPACE))
    assert (sweep.seeds, sweep.objective, sweep.pruning) == ((0,), "last", None)
    assert sweep.search == Search("grid")
    assert sweep.space == {"learning_rate": Choices((0.1, 0.05))}
    assert sweep.training.recipe.epochs == 30
    trained = sweep.trainings({"learning_rate": 0.3})
    assert [(each.recipe.learning_rate, each.seed) for each in trained] == [(0.3, 0)]


def test_a_file_has_all_that_a_training_has(tmp_path: Path) -> None:
    text = f"""
        {SHORT}
        recipe = "modern"
        seeds = [3, 5]
        objective = "best"
        options = {{ form = "1998" }}
        train_images = 320
        image_size = 32
        class_weights = "balanced"
        validation_images = 60
        skip_broken = true
        cache = "decoded"
        [values]
        epochs = 9
        batch_size = 16
        [space]
        weight_decay = {{ low = 1e-5, high = 1e-3, log = true }}
        [search]
        method = "tpe"
        trials = 8
        seed = 7
        batch = 2
        [pruning]
        epochs = [2, 4]
        optuna = "median"
    """
    sweep = read_sweep(written(tmp_path, text))
    training = sweep.training
    assert (training.options, training.train_images, training.image_size) == (
        {"form": "1998"},
        320,
        32,
    )
    assert (training.class_weights, training.validation_images) == ("balanced", 60)
    recipe = training.recipe
    assert (recipe.schedule, recipe.epochs, recipe.batch_size) == ("cosine", 9, 16)
    assert sweep.loading == Loading(skip_broken=True, cache=Path("decoded"))
    assert sweep.space == {"weight_decay": Range(1e-5, 1e-3, log=True)}
    assert sweep.search == Search("tpe", trials=8, seed=7, batch=2)
    assert sweep.pruning == Pruning((2, 4), optuna="median")
    assert (sweep.seeds, sweep.objective) == ((3, 5), "best")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SPACE, "lacks network"),
        (SHORT, "lacks space"),
        (SHORT + "epoch = 3\n" + SPACE, "Unknown key 'epoch'"),
        (SHORT.replace("lenet5", "lenet6") + SPACE, "Unknown network 'lenet6'"),
        ('network = 5\ndata = "digits"\n' + SPACE, "network must be a string, not 5"),
        (SHORT + "seeds = [0, 0]\n" + SPACE, r"seeds must be different whole numbers.*\[0, 0\]"),
        (SHORT + "seeds = []\n" + SPACE, "seeds must be different whole numbers"),
        (SHORT + 'objective = "first"\n' + SPACE, "Unknown objective 'first'"),
        (SHORT + 'recipe = "modem"\n' + SPACE, "Unknown recipe 'modem'"),
        (SHORT + "workers = -1\n" + SPACE, "--workers must be 0 or more"),
        (SHORT + SPACE + "[values]\nlearning_rate = 1\n", "both in values and in space"),
        (SHORT + SPACE + "[values]\nepochs = 0\n", "The epochs must be above 0, not 0"),
        (SHORT + SPACE + "[search]\ntrials = 3\n", "leave out trials"),
        (SHORT + SPACE + '[search]\nmethod = "gird"\n', "Unknown method 'gird'"),
        (SHORT + SPACE + '[search]\nmethod = "random"\n', "trials must be 1 or more"),
        (SHORT + SPACE + RANDOM + "seed = -1\n", "seed must be 0 or more, not -1"),
        (SHORT + SPACE + RANDOM + "seed = true\n", "seed must be a whole number, not True"),
        (SHORT + SPACE + RANDOM + "batch = 2\n", "batch is for Optuna's methods"),
        (SHORT + SPACE + TPE + "batch = 0\n", "batch must be 1 or more, not 0"),
        (
            SHORT + "[space]\nlearning_rate = {low = 0.1, high = 1}\n",
            "learning_rate is a range, which a grid does not have",
        ),
        (SHORT + SPACE + "[pruning]\nepochs = [2, 1]\n", r"epochs must be rising.*not \[2, 1\]"),
        (SHORT + SPACE + "[pruning]\nepochs = [30]\n", "before the last epoch"),
        (SHORT + SPACE + "[pruning]\nkeep = 0.5\n", r"epochs must be rising.*not \[\]"),
        (SHORT + SPACE + "[pruning]\nepochs = [1]\nkeep = 1\n", "keep must be between 0 and 1"),
        (
            SHORT + SPACE + '[pruning]\nepochs = [1]\noptuna = "median"\n',
            'optuna needs method = "tpe" or "qmc"',
        ),
        (
            SHORT + SPACE + TPE + '[pruning]\nepochs = [1]\noptuna = "mean"\n',
            "Unknown pruner of Optuna 'mean'",
        ),
        (
            SHORT + SPACE + TPE + '[pruning]\nepochs = [1]\noptuna = "median"\nkeep = 0.5\n',
            "leave out keep",
        ),
    ],
)
def test_a_wrong_key_is_named_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError, match=message) as caught:
        read_sweep(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_the_example_of_the_documentation_is_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "sweep.md").read_text(encoding="utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    sweep = read_sweep(written(tmp_path, example))
    assert sweep.search == Search("random", trials=12)
    assert sweep.pruning == Pruning((2, 4))


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Error, match="not valid TOML"):
        read_sweep(written(tmp_path, "network ="))
    with pytest.raises(Error, match="cannot be read: No such file"):
        read_sweep(tmp_path / "gone.toml")
