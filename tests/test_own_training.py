"""The page for people with training scripts of their own: every block on it runs."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

PAGE = (Path(__file__).parents[1] / "docs" / "own-training.md").read_text(encoding="utf-8")
BLOCKS = {
    f"{section.splitlines()[0]} {number}": block
    for section in PAGE.split("\n## ")[1:]
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", section, re.DOTALL), start=1)
}
NEEDS = {"RecordVideo": "moviepy", "sb3_contrib": "sb3_contrib"}


def test_the_page_speaks_of_every_library():
    assert [name.rsplit(" ", 1)[0] for name in BLOCKS] == [
        "Gymnasium",
        "Gymnasium",
        "Stable-Baselines3",
        "sb3-contrib",
        "A loop of your own, in the manner of CleanRL",
    ]
    assert "rl-baselines3-zoo" in PAGE and "needs no `import racer`" in PAGE


@pytest.mark.slow
@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_runs(name, tmp_path, monkeypatch, capsys):
    block = BLOCKS[name]
    for word, library in NEEDS.items():
        if word in block and importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed, so a block of docs/own-training.md was not run")
    monkeypatch.chdir(tmp_path)
    short, count = re.subn(r"(?<=^STEPS)(.*?) = [\d_]+", r"\1 = 8_192", block, flags=re.MULTILINE)
    assert count == ("STEPS" in block)
    exec(compile(short, f"docs/own-training.md, {name}", "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    assert re.search(r"off_track|time_up|lap_complete|immobilized|reversed|ep_rew_mean|mean reward", printed)
    if "RecordVideo" in block:
        assert [path.suffix for path in Path("videos").iterdir()] == [".mp4"]


def test_the_zoos_configuration_makes_a_model():
    """As the zoo reads it: what is not a hyperparameter of the algorithm is its own."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    ((name, given),) = yaml.safe_load(text).items()
    assert given.pop("n_timesteps") == 400_000
    envs = make_vec_env(f"racer:{name}", n_envs=given.pop("n_envs"))
    model = PPO(given.pop("policy"), envs, **given, seed=0, device="cpu")
    assert model.n_steps * envs.num_envs % model.batch_size == 0
    assert model.predict(envs.reset())[0].shape == (8, 2)
