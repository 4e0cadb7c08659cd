"""DeepRacer's settings files: every version and quirk of them, and one clear message for whatever is none."""

import json
import os
import tarfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings, strategies as st

import racer
from racer.deepracer.config import Document, ModelMetadata, convert
from racer.deepracer.config.hyperparameters import Hyperparameters, read_hyperparameters
from racer.deepracer.config.metadata import CAMERAS, LIDARS, Lidar, read_model_metadata
from racer.deepracer.config.races import RACE_NAMES
from racer.deepracer.config.report import Status
from racer.deepracer.config.settings import ENV_NAMES, Settings, read_settings
from racer.errors import DeepRacerError, RacerError
from racer.shelf import shipped_folder
from racer.sim import Bots, Boxes, ContinuousActions, DiscreteActions, Place, Rotation, Traffic

ACTIONS = [{"steering_angle": angle, "speed": speed} for angle in (-30, -15, 0, 15, 30) for speed in (1, 2)]
RANGES = {"steering_angle": {"low": -30.0, "high": 30.0}, "speed": {"low": 1.0, "high": 2.0}}
REWARD = "def reward_function(params):\n    return params['progress']\n"


def write(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def metadata(folder, **keys):
    return read_model_metadata(write(folder, "model_metadata.json", {"action_space": ACTIONS} | keys))


def export(folder, **settings_):
    """A folder as the console exports it, of a car that perceives its state."""
    write(folder, "model/model_metadata.json", {"action_space": ACTIONS, "sensor": ["state"]})
    write(folder, "ip/hyperparameters.json", {"discount_factor": 0.99, "num_epochs": "3"})
    write(folder, "reward_function.py", REWARD)
    write(folder, "training_params.yaml", yaml.safe_dump({"WORLD_NAME": "harbor"} | settings_))
    return folder


def told(call, *parts):
    with pytest.raises(DeepRacerError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message
    return message


# --- model_metadata.json -------------------------------------------------------------------------------------------


def test_a_discrete_action_is_its_place_in_the_list_whatever_its_index(tmp_path):
    shuffled = [action | {"index": 9 - i} for i, action in enumerate(ACTIONS)]
    read = metadata(tmp_path, action_space=shuffled)
    assert read.actions == DiscreteActions(tuple((a["steering_angle"], a["speed"]) for a in ACTIONS))
    assert read.actions.commands([3]).tolist() == [[-15.0, 2.0]]
    assert any("index" in note for note in read.notes)
    ordered = [action | {"index": i} for i, action in enumerate(ACTIONS)]
    assert metadata(tmp_path, action_space=ordered).notes == ()


def test_very_old_files_hold_the_actions_alone(tmp_path):
    assert metadata(tmp_path) == ModelMetadata(
        DiscreteActions(tuple((float(a["steering_angle"]), float(a["speed"])) for a in ACTIONS)),
        sensors=("observation",),
        neural_network="DEEP_CONVOLUTIONAL_NETWORK_SHALLOW",
        training_algorithm="clipped_ppo",
        version=1.0,
        lidar=None,
    )


@pytest.mark.parametrize("number", [1, 1.0, "1", "1.0", " 1 ", "1e0"])
def test_numbers_may_be_ints_floats_or_texts(tmp_path, number):
    read = metadata(tmp_path, action_space=[{"steering_angle": number, "speed": number}], version=number)
    assert read.actions.choices == ((1.0, 1.0),)
    assert read.version == 1.0
    ranges = {"steering_angle": {"low": "-30", "high": number}, "speed": {"low": 0, "high": number}}
    read = metadata(tmp_path, action_space=ranges, action_space_type="continuous")
    assert read.actions == ContinuousActions((-30.0, 1.0), (0.0, 1.0))


def test_continuous_actions_are_steering_then_speed_mapped_to_their_bounds(tmp_path):
    read = metadata(tmp_path, action_space=RANGES, action_space_type="continuous")
    assert read.actions.commands([[1.0, -1.0], [0.0, 0.0]]).tolist() == [[30.0, 1.0], [0.0, 1.5]]


def test_what_is_missing_has_the_originals_defaults(tmp_path):
    assert metadata(tmp_path).version == 1.0
    assert metadata(tmp_path, sensor=["STEREO_CAMERAS"]).version == 2.0
    assert metadata(tmp_path, sensor=["STEREO_CAMERAS", "LIDAR"], version=5).version == 5.0
    lidar = metadata(tmp_path, sensor=["observation", "DISCRETIZED_SECTOR_LIDAR"], lidar_config={"num_sectors": "16"})
    assert lidar.lidar == Lidar(16, 8, 2.0)


def test_commands_beyond_the_actuators_are_kept_and_told(tmp_path):
    read = metadata(tmp_path, action_space=[{"steering_angle": 40, "speed": 6}, {"steering_angle": 0, "speed": 0}])
    assert read.actions.choices == ((40.0, 6.0), (0.0, 0.0))
    assert ["40 degrees drives as 30" in read.notes[0], "6 m/s drives as 4" in read.notes[1]] == [True, True]


BROKEN = [
    ({}, ["action_space", "list of 1 to 256"]),
    ({"action_space": []}, ["holds 0 actions", "1 to 256"]),
    ({"action_space": ACTIONS * 100}, ["holds 1,000 actions", "1 to 256"]),
    ({"action_space": "left, right"}, ["action_space is 'left, right'", "list"]),
    ({"action_space": RANGES}, ["action_space_type", '"continuous"']),
    ({"action_space": [*ACTIONS, 7]}, ["action_space[10] is 7", '"steering_angle"']),
    ({"action_space": [{"speed": 1}]}, ["action_space[0].steering_angle is missing"]),
    ({"action_space": [{"steering_angle": 1}]}, ["action_space[0].speed is missing", "from 0 to 100"]),
    ({"action_space": [{"steering_angle": "left", "speed": 1}]}, ["steering_angle is 'left'", "from -180 to 180"]),
    ({"action_space": [{"steering_angle": 1, "speed": "nan"}]}, ["action_space[0].speed is 'nan'", "a number"]),
    ({"action_space": [{"steering_angle": 1, "speed": 10**18}]}, ["speed is 1000", "from 0 to 100"]),
    ({"action_space": [{"steering_angle": 1, "speed": "1e999"}]}, ["speed is '1e999'"]),
    ({"action_space": [{"steering_angle": 1, "speed": 10**400}]}, ["too large for a whole number"]),
    ({"action_space": [{"steering_angle": 1, "speed": True}]}, ["speed is True", "a number"]),
    ({"action_space": [{"steering_angle": 1, "speed": None}]}, ["speed is None"]),
    ({"action_space": [{"steering_angle": 1, "speed": -1}]}, ["speed is -1", "from 0 to 100"]),
    ({"action_space": [{"steering_angle": 1000, "speed": 1}]}, ["steering_angle is 1000"]),
    ({"action_space": ACTIONS, "action_space_type": "continuous"}, ["action_space is [", "object"]),
    (
        {"action_space": ACTIONS, "action_space_type": "discret"},
        ["'discret'", "discrete or continuous", "Did you mean"],
    ),
    (
        {"action_space": RANGES | {"speed": {"low": 2, "high": 2}}, "action_space_type": "continuous"},
        ["action_space.speed goes from low 2 to high 2", "below"],
    ),
    (
        {"action_space": RANGES | {"speed": {"low": 2}}, "action_space_type": "continuous"},
        ["action_space.speed.high is missing"],
    ),
    ({"action_space": {"speed": RANGES["speed"]}, "action_space_type": "continuous"}, ["action_space.steering_angle"]),
    ({"action_space": ACTIONS, "sensor": "FRONT_FACING_CAMERA"}, ["sensor is 'FRONT", "a list of one of"]),
    ({"action_space": ACTIONS, "sensor": []}, ["sensor is []", "a list of one of"]),
    ({"action_space": ACTIONS, "sensor": ["LIDAR"]}, ["sensor is ['LIDAR']", "a list of one of"]),
    ({"action_space": ACTIONS, "sensor": ["LEFT_CAMERA", "observation"]}, ["a list of one of"]),
    ({"action_space": ACTIONS, "sensor": ["LEFT_CAMERA", "LIDAR", "SECTOR_LIDAR"]}, ["at most one of LIDAR"]),
    ({"action_space": ACTIONS, "sensor": ["RADAR"]}, ["sensor[0] is 'RADAR'", "FRONT_FACING_CAMERA", "Did you mean"]),
    ({"action_space": ACTIONS, "sensor": [{}]}, ["sensor[0] is {}", "FRONT_FACING_CAMERA"]),
    ({"action_space": ACTIONS, "neural_network": "RESNET"}, ["neural_network is 'RESNET'", "SHALLOW"]),
    ({"action_space": ACTIONS, "training_algorithm": "dqn"}, ["training_algorithm is 'dqn'", "clipped_ppo or sac"]),
    ({"action_space": ACTIONS, "training_algorithm": "sac"}, ["SAC takes continuous actions only"]),
    ({"action_space": ACTIONS, "version": "new"}, ["version is 'new'", "from 1 to 100"]),
    ({"action_space": ACTIONS, "version": 0}, ["version is 0"]),
    ({"action_space": ACTIONS, "lidar_config": 8}, ["lidar_config is 8", "object"]),
    ({"action_space": ACTIONS, "lidar_config": {"num_sectors": 5}}, ["lidar_config.num_sectors is 5", "divide"]),
    ({"action_space": ACTIONS, "lidar_config": {"clipping_dist": 20}}, ["clipping_dist is 20", "0.15 to 12"]),
    ([], ["must be an object"]),
    ("", ["empty"]),
    ('{"action_space": [', ["line 1", "cut short"]),
    ('{"action_space": [{"steering_angle": NaN}]}', ["NaN"]),
    ("[" * 100_000, ["not valid JSON"]),
]


@pytest.mark.parametrize("content, parts", BROKEN, ids=[", ".join(parts)[:40] for _, parts in BROKEN])
def test_broken_metadata_give_one_message_with_file_key_and_what_is_allowed(tmp_path, content, parts):
    path = write(tmp_path, "model_metadata.json", content)
    told(lambda: read_model_metadata(path), str(path), *parts)


@pytest.mark.parametrize("read", [read_model_metadata, read_hyperparameters, read_settings])
def test_files_that_cannot_be_read(tmp_path, read):
    told(lambda: read(tmp_path / "none.yaml"), "none.yaml", "no such file")
    told(lambda: read(tmp_path), "folder")
    binary = tmp_path / "photo.json"
    binary.write_bytes(b"\x89PNG\xff")
    told(lambda: read(binary), "photo.json", "not UTF-8")


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path):
    path = tmp_path / "model_metadata.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"action_space": ACTIONS}, indent=1).replace("\n", "\r\n").encode())
    assert len(read_model_metadata(path).actions.choices) == 10


NUMBERS = st.floats(-30, 30)
SPEEDS = st.floats(0, 4)
SPACES = st.lists(st.tuples(NUMBERS, SPEEDS), min_size=1, max_size=40).map(lambda rows: DiscreteActions(tuple(rows)))
SPACES |= st.builds(
    lambda a, b, c, d: ContinuousActions((a, a + b), (c, c + d)), NUMBERS, st.floats(0.1, 30), SPEEDS, st.floats(0.1, 4)
)


@given(
    SPACES,
    st.sampled_from([*CAMERAS, "state"]),
    st.sampled_from([(), *((lidar,) for lidar in LIDARS)]),
    st.none() | st.builds(Lidar, st.sampled_from([1, 8, 64]), st.integers(1, 64), st.floats(0.15, 12)),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_what_is_written_is_read_again(tmp_path, actions, camera, lidars, lidar):
    made = ModelMetadata(actions, (camera, *lidars), version=5.0, lidar=lidar)
    read = read_model_metadata(write(tmp_path, "m.json", made.as_json()))
    assert read == ModelMetadata(actions, (camera, *lidars), version=5.0, lidar=lidar, notes=read.notes)


# --- hyperparameters.json ------------------------------------------------------------------------------------------


def test_hyperparameters_are_cast_defaulted_and_unknown_ones_not_looked_at(tmp_path):
    assert read_hyperparameters(write(tmp_path, "h.json", {})) == Hyperparameters()
    given_ = {
        "batch_size": "128",
        "num_epochs": 5.9,
        "lr": "1e-4",
        "discount_factor": "0.95",
        "beta_entropy": 0,
        "loss_type": "Huber",
        "mystery": [1, 2],
    }
    read = read_hyperparameters(write(tmp_path, "h.json", given_))
    assert read == Hyperparameters(128, 5, 1e-4, 0.0, 0.95, "Huber")
    # Only the very word counts; anything else is the mean squared error.
    assert read.effective == read.as_json() | {"loss_type": "mean squared error"}
    huber = read_hyperparameters(write(tmp_path, "h.json", {"loss_type": "huber"}))
    assert huber.effective == huber.as_json()


@pytest.mark.parametrize(
    "key, value, allowed",
    [
        ("batch_size", "64.0", "a whole number from 1"),
        ("batch_size", 0, "from 1 to 1e+06"),
        ("num_epochs", "many", "from 1 to 100"),
        ("num_epochs", None, "a whole number"),
        ("num_epochs", True, "a whole number"),
        ("lr", "inf", "from 0 to 1"),
        ("lr", -1e-3, "from 0 to 1"),
        ("lr", [3e-4], "a number"),
        ("discount_factor", 1.1, "from 0 to 1"),
        ("discount_factor", "9" * 5000, "from 0 to 1"),
        ("loss_type", None, "a text"),
        ("exploration_type", ["categorical"], "a text"),
        ("epsilon_steps", -1, "from 0 on"),
    ],
)
def test_broken_hyperparameters(tmp_path, key, value, allowed):
    path = write(tmp_path, "hyperparameters.json", {key: value})
    assert len(told(lambda: read_hyperparameters(path), str(path), f"{key} is ", allowed)) < 400


# --- training_params.yaml and run.env ------------------------------------------------------------------------------

WRITTEN = {
    "WORLD_NAME": "reinvent_base",
    "RACE_TYPE": "TIME_TRIAL",
    "TRACK_DIRECTION_CLOCKWISE": "TRUE",
    "REVERSE_DIR": "True",
    "ALTERNATE_DRIVING_DIRECTION": "true",
    "CHANGE_START_POSITION": "False",
    "ROUND_ROBIN_ADVANCE_DIST": "0.1",
    "START_POSITION_OFFSET": "0.25",
    "NUM_WORKERS": "4",
    "MIN_EVAL_TRIALS": "5",
}
READ = Settings(
    "reinvent_base",
    True,
    "TIME_TRIAL",
    True,
    True,
    False,
    0.1,
    0.25,
    others={"NUM_WORKERS": "4", "MIN_EVAL_TRIALS": "5"},
)


@pytest.mark.parametrize("style", [None, "'", '"'])
@pytest.mark.parametrize("many", [False, True])
def test_yaml_in_every_style_and_a_list_counts_by_its_first(tmp_path, style, many):
    data = {key: [value, "other"] for key, value in WRITTEN.items()} if many else WRITTEN
    text = yaml.dump(data | {"AWS_REGION": "x", "DR": ["a"]}, default_style=style, explicit_start=True)
    assert read_settings(write(tmp_path, "training_params.yaml", text)) == READ


def test_yaml_of_real_types(tmp_path):
    text = "WORLD_NAME: 2022_march_open\nREVERSE_DIR: yes\nCHANGE_START_POSITION: off\nROUND_ROBIN_ADVANCE_DIST: .5\n"
    read = read_settings(write(tmp_path, "t.yaml", text))
    assert read == Settings("2022_march_open", reverse=True, change_start=False, advance=0.5)


@pytest.mark.parametrize("line", ["{}={}", "export {}={}", "{}='{}'", '{}="{}"  # a comment'])
def test_run_env_of_deepracer_for_cloud(tmp_path, line):
    lines = ["#DR_EVAL_RTF=1.0", "", "DR_CAR_NAME=FastCar", "DR_EVAL_REVERSE_DIRECTION=False"]
    lines += [line.format(ENV_NAMES[key][0], value) for key, value in WRITTEN.items()]
    assert read_settings(write(tmp_path, "run.env", "\r\n".join(lines))) == READ


def test_older_names_of_run_env_and_what_is_left_empty(tmp_path):
    text = "DR_WORLD_NAME=Bowtie_track\nDR_CHANGE_START_POSITION=False\nDR_TRAIN_START_POSITION_OFFSET=\n"
    assert read_settings(write(tmp_path, "run.env", text)) == Settings("Bowtie_track", change_start=False)
    text += "DR_TRAIN_CHANGE_START_POSITION=True\n"
    assert read_settings(write(tmp_path, "run.env", text)).change_start


@pytest.mark.parametrize(
    "name, text, parts",
    [
        ("t.yaml", "", ["no training parameters", "WORLD_NAME"]),
        ("t.yaml", "- a\n- b\n", ["no training parameters"]),
        ("t.yaml", "WORLD_NAME: 'cut", ["line", "cut short"]),
        ("t.yaml", "A: 1\n\tB: 2\n", ["line 2", "not valid YAML"]),
        ("t.yaml", "REVERSE_DIR: perhaps", ["REVERSE_DIR is 'perhaps'", "true or false"]),
        ("t.yaml", "RACE_TYPE: DRAG_RACE", ["RACE_TYPE is 'DRAG_RACE'", "TIME_TRIAL"]),
        ("t.yaml", "ROUND_ROBIN_ADVANCE_DIST: 5", ["ROUND_ROBIN_ADVANCE_DIST is '5'", "from 0 to 1"]),
        ("t.yaml", "WORLD_NAME: {a: b}", ["WORLD_NAME is {'a': 'b'}", "a text"]),
        ("t.yaml", "a: &a [*a]\nWORLD_NAME: [*a]", ["line 1", "recursive"]),
        ("t.yaml", 'WORLD_NAME: "\\U00110000"', ["not valid YAML"]),
        ("t.yaml", "[" * 20_000, ["not valid YAML"]),
        ("t.yaml", "!!python/object/apply:os.system ['true']", ["no training parameters"]),
        ("run.env", "DR_WORLD_NAME='cut", ["line 1", "DR_WORLD_NAME=reinvent_base"]),
        ("run.env", "\nreinvent_base\n", ["line 2", "'reinvent_base' sets nothing"]),
        ("run.env", "DR_TRAIN_REVERSE_DIRECTION=2", ["DR_TRAIN_REVERSE_DIRECTION is '2'", "true or false"]),
    ],
)
def test_broken_settings(tmp_path, name, text, parts):
    path = write(tmp_path, name, text)
    told(lambda: read_settings(path), str(path), *parts)


def test_a_yaml_bomb_is_harmless(tmp_path):
    bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    bomb += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    path = write(tmp_path, "t.yaml", "\n".join([*bomb, "WORLD_NAME: *a29"]))
    assert len(told(lambda: read_settings(path), "WORLD_NAME is", "a text")) < 1000


# --- no file whatever ----------------------------------------------------------------------------------------------

KEYS = [
    *("action_space", "action_space_type", "sensor", "neural_network", "training_algorithm", "version", "lidar_config"),
    *("steering_angle", "speed", "index", "low", "high", "num_sectors", "num_values_per_sector", "clipping_dist"),
    *Hyperparameters.__dataclass_fields__,
    *ENV_NAMES,
]
WORDS = ["discrete", "continuous", "sac", "clipped_ppo", "huber", "TIME_TRIAL", "harbor", "true", *CAMERAS, *LIDARS]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from([*WORDS, "1", "1.0"])
SCALARS |= st.text(max_size=8) | st.integers(10**300, 10**310) | st.floats(-40, 40)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner),
    max_leaves=25,
)
SPACE = st.lists(
    st.fixed_dictionaries({"steering_angle": SCALARS, "speed": SCALARS}), max_size=3
) | st.fixed_dictionaries({"steering_angle": JSON, "speed": st.fixed_dictionaries({"low": SCALARS, "high": SCALARS})})
LIKELY = st.fixed_dictionaries(
    {"action_space": SPACE | JSON},
    optional={"action_space_type": st.sampled_from(["discrete", "continuous"]) | JSON}
    | {key: JSON | st.lists(SCALARS, max_size=2) for key in KEYS[2:7]},
)
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)


@given(JSON | LIKELY)
@example({"action_space": ACTIONS, "sensor": [[], {}]})
@FUZZ
def test_no_json_whatever_gives_anything_but_one_message(tmp_path, data):
    path = tmp_path / "any.json"
    path.write_text(json.dumps(data))
    for read in (read_model_metadata, read_hyperparameters):
        try:
            read(path)
        except RacerError as wrong:
            assert str(path) in str(wrong) and len(str(wrong)) < 2000


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="replace")))
@FUZZ
def test_no_bytes_whatever_give_anything_but_one_message(tmp_path, data):
    for name, read in (("a.json", read_model_metadata), ("a.yaml", read_settings), ("a.env", read_settings)):
        path = tmp_path / name
        path.write_bytes(data)
        try:
            read(path)
        except RacerError as wrong:
            assert str(path) in str(wrong)


LINES = st.lists(
    st.tuples(st.sampled_from([*ENV_NAMES, "DR_WORLD_NAME"]), st.sampled_from(WORDS) | st.text(max_size=9))
)


@given(LINES, st.sampled_from(["{}: {}", "{}: '{}'", "{}={}", "{}: [{}]", "? {}\n: {}", "{}: &a {}\nb: *a"]))
@FUZZ
def test_no_lines_whatever_give_anything_but_one_message(tmp_path, pairs, form):
    for name in ("a.yaml", "a.env"):
        path = tmp_path / name
        path.write_bytes("\n".join(form.format(*pair) for pair in pairs).encode(errors="replace"))
        try:
            read_settings(path)
        except RacerError as wrong:
            assert str(path) in str(wrong)


def test_the_real_samples_load(logs):
    found = sorted(logs.glob("*model_metadata.json"))
    assert found, f"no samples in {logs}"
    for path in found:
        read = read_model_metadata(path)
        assert (read.sensors, read.version, read.training_algorithm) == (("FRONT_FACING_CAMERA",), 4.0, "clipped_ppo")
        assert len(read.actions.choices) == (15 if "baadal" in path.name else 14)
        assert read.actions.choices[0] == ((-30.0, 2.2) if "baadal" in path.name else (-30.0, 1.0))
        assert read.notes == ()
    (path,) = logs.glob("*hyperparameters.json")
    assert read_hyperparameters(path) == Hyperparameters(
        num_epochs=3, discount_factor=0.95, loss_type="huber", e_greedy_value=1.0
    )


# --- folders -------------------------------------------------------------------------------------------------------


def names(converted, status):
    return {line.name for line in converted.report if line.status is status}


def line(converted, name):
    (found,) = [line for line in converted.report if line.name == name]
    return found


def test_a_folder_of_the_console(tmp_path):
    converted = convert(export(tmp_path, NUM_WORKERS="4"))
    assert converted.track.name == "harbor" and not converted.track.reversed
    assert converted.reward == tmp_path / "reward_function.py"
    assert len(converted.actions.choices) == 10
    assert converted.sensors == ("state",)
    assert converted.starts == Rotation(0.05, 0.0)
    assert not converted.both_directions
    assert converted.hyperparameters == {
        "gamma": 0.99,
        "ent_coef": 0.01,
        "n_epochs": 3,
        "learning_rate": 3e-4,
        "batch_size": 64,
        "episodes": 20,
        "loss_type": "mean squared error",
    }
    assert len(converted.files) == 4
    # Every key of the files is told of, and the check-list's three that do nothing do nothing.
    assert {"stack_size", "term_cond_avg_score"} <= names(converted, Status.IGNORED)
    assert {"term_cond_max_episodes", "NUM_WORKERS"} <= names(converted, Status.REPLACED)
    assert {"lr", "batch_size"} <= names(converted, Status.CONVERTED)
    assert {"action_space", "discount_factor", "beta_entropy", "num_epochs"} <= names(converted, Status.CONVERTED)
    told_of = {line.name for line in converted.report}
    greedy = {"e_greedy_value", "epsilon_steps", "sac_alpha"}
    assert set(Hyperparameters.__dataclass_fields__) - greedy <= told_of


PPO, SAC = {"gamma": 0.999, "ent_coef": 0.01, "n_epochs": 10}, {"gamma": 0.999, "alpha": 0.2}
RULES = PPO | {"learning_rate": 3e-4, "batch_size": 64, "episodes": 20, "loss_type": "mean squared error"}
DEEP = "DEEP_CONVOLUTIONAL_NETWORK_DEEP"
SECTORS = "DISCRETIZED_SECTOR_LIDAR:sectors=4:values=5:clip_m=1.5"


@pytest.mark.parametrize(
    "sensor, algorithm, options, agent, sensors, hyperparameters",
    [
        (["STEREO_CAMERAS"], "clipped_ppo", {}, "ppo_camera", None, PPO | {"network": DEEP}),
        (["LEFT_CAMERA", "LIDAR"], "clipped_ppo", {}, "ppo_camera", None, PPO | {"network": DEEP}),
        (["observation", "DISCRETIZED_SECTOR_LIDAR"], "clipped_ppo", {}, "ppo_camera", ("observation", SECTORS), None),
        (["state", "DISCRETIZED_SECTOR_LIDAR"], "clipped_ppo", {}, "ppo_lidar", ("state", SECTORS), PPO),
        (["state", "SECTOR_LIDAR"], "sac", {}, "sac", None, SAC),
        (["FRONT_FACING_CAMERA"], "sac", {}, "sac", None, SAC | {"network": DEEP}),
        (["FRONT_FACING_CAMERA"], "clipped_ppo", {"sensors": ("state",)}, "ppo", ("state",), PPO),
        (["FRONT_FACING_CAMERA"], "clipped_ppo", {"sensors": ("LIDAR:stack=2",)}, "ppo_lidar", ("LIDAR:stack=2",), PPO),
        (["state"], "clipped_ppo", {"agent": "sac"}, "sac", None, SAC),
        (["state"], "sac", {"agent": "mine/ppo.py"}, "mine/ppo.py", None, PPO),
        (["LEFT_CAMERA"], "clipped_ppo", {"agent": "mine"}, "mine", None, RULES | {"network": DEEP}),
        (["LEFT_CAMERA"], "sac", {"agent": "other"}, "other", None, SAC | {"network": DEEP}),
    ],
)
def test_algorithm_and_sensors_choose_the_recipe_and_options_outdo_them(
    tmp_path, monkeypatch, sensor, algorithm, options, agent, sensors, hyperparameters
):
    monkeypatch.chdir(tmp_path)
    for copy, original in {"mine/ppo.py": "ppo", "agents/mine.py": "clipped_ppo", "agents/other.py": "sac"}.items():
        write(tmp_path, copy, (shipped_folder("agents") / f"{original}.py").read_text())
    config = {"num_sectors": 4, "num_values_per_sector": 5, "clipping_dist": 1.5}
    model = {"action_space": RANGES, "action_space_type": "continuous", "sensor": sensor, "lidar_config": config}
    model |= {"training_algorithm": algorithm, "neural_network": DEEP}
    files = {"metadata": write(tmp_path, "m.json", model), "hyperparameters": write(tmp_path, "h.json", {})}
    converted = convert(**files, **options)
    assert (converted.agent, converted.sensors) == (agent, sensors or tuple(sensor))
    assert hyperparameters is None or converted.hyperparameters == hyperparameters
    status = {line.name: line.status for line in converted.report}
    learns = "sac" if "alpha" in converted.hyperparameters else "clipped_ppo"
    assert status["training_algorithm"] is (Status.REPLACED if learns != algorithm else Status.CONVERTED)
    assert status["neural_network"] is (Status.CONVERTED if "network" in converted.hyperparameters else Status.REPLACED)
    assert status["sensor"] is (Status.REPLACED if "sensors" in options else Status.CONVERTED)
    assert status["lidar_config"] is (Status.CONVERTED if SECTORS in converted.sensors else Status.IGNORED)
    without = convert(metadata=files["metadata"], **options).hyperparameters
    assert without == ({"network": DEEP} if "network" in converted.hyperparameters else None)


def test_what_deepracer_trains_by_is_taken_by_the_recipe_that_trains_as_it_does(tmp_path):
    given_ = {"lr": "1e-4", "batch_size": 32, "num_episodes_between_training": 10, "num_epochs": 3}
    converted = convert(export(tmp_path), hyperparameters=write(tmp_path, "h.json", given_))
    assert converted.agent == "clipped_ppo"
    assert converted.hyperparameters == {
        "gamma": 0.999,
        "ent_coef": 0.01,
        "n_epochs": 3,
        "learning_rate": 1e-4,
        "batch_size": 32,
        "episodes": 10,
        "loss_type": "mean squared error",
    }
    assert {"training_algorithm", *given_} <= names(converted, Status.CONVERTED)
    quicker = convert(export(tmp_path), hyperparameters=tmp_path / "h.json", agent="ppo")
    assert {"lr", "batch_size", "num_episodes_between_training"} <= names(quicker, Status.REPLACED)


def test_a_lidar_that_racer_cannot_simulate(tmp_path):
    config = {"clipping_dist": 0.15}
    sensor = ["observation", "DISCRETIZED_SECTOR_LIDAR"]
    path = write(tmp_path, "m.json", {"action_space": ACTIONS, "sensor": sensor, "lidar_config": config})
    told(lambda: convert(metadata=path), str(path), "sees 0.15 m far", "--sensors")
    assert convert(metadata=path, sensors=("state",)).sensors == ("state",)


@pytest.mark.parametrize("place", ["", "custom_files", "model"])
@pytest.mark.parametrize("around", ["", "my-model"])
def test_files_are_found_in_their_usual_places(tmp_path, place, around):
    folder = tmp_path / around
    write(folder / place, "model_metadata.json", {"action_space": ACTIONS, "sensor": ["state"]})
    write(folder / place, "reward_function.py", REWARD)
    write(folder / place, "hyperparameters.json", {})
    write(folder, "run.env" if place else "training_params.yaml", "DR_WORLD_NAME=dune" if place else "WORLD_NAME: dune")
    write(tmp_path, ".hidden", "")
    converted = convert(tmp_path)
    assert (converted.track.name, len(converted.files)) == ("dune", 4)


def test_without_hyperparameters_the_recipe_keeps_its_own(tmp_path):
    export(tmp_path)
    (tmp_path / "ip" / "hyperparameters.json").unlink()
    converted = convert(tmp_path)
    assert converted.hyperparameters is None
    assert "lr" not in {line.name for line in converted.report}


def test_two_versions_of_a_file_are_not_chosen_between(tmp_path):
    export(tmp_path)
    other = {"action_space": ACTIONS[:2], "sensor": ["state"]}
    own = write(tmp_path, "custom_files/model_metadata.json", other)
    told(lambda: convert(tmp_path), "custom_files", "model/model_metadata.json differ", "--model-metadata")
    assert len(convert(tmp_path, metadata=own).actions.choices) == 2
    own.write_bytes((tmp_path / "model" / "model_metadata.json").read_bytes())
    assert len(convert(tmp_path).actions.choices) == 10


def test_folders_that_are_none(tmp_path):
    told(lambda: convert(tmp_path / "gone"), "gone is no folder and no archive")
    archive = write(tmp_path, "model.tar.gz", "")
    told(lambda: convert(archive), "model.tar.gz is no folder and no archive")
    archive.unlink()
    told(lambda: convert(tmp_path), "holds none of model_metadata.json", "custom_files/")
    told(lambda: convert("nul\0l"), "is no folder")
    write(tmp_path, "reward_function.py", REWARD)
    told(lambda: convert(tmp_path), "no model_metadata.json", "--model-metadata")
    write(tmp_path, "model_metadata.json", {"action_space": ACTIONS})
    assert convert(tmp_path).track.name == "harbor"
    (tmp_path / "reward_function.py").unlink()
    told(lambda: convert(tmp_path), "no reward_function.py", "--reward")


def test_options_outdo_the_folder(tmp_path):
    converted = convert(export(tmp_path, WORLD_NAME="no_such_world"), track="dune", reward="centerline")
    assert (converted.track.name, converted.reward) == ("dune", "centerline")
    assert line(converted, "WORLD_NAME").status is Status.REPLACED


def test_single_files_bring_no_rules(tmp_path):
    write(tmp_path, "m.json", {"action_space": RANGES, "action_space_type": "continuous", "sensor": ["state"]})
    converted = convert(metadata=tmp_path / "m.json")
    assert converted.actions == ContinuousActions((-30.0, 30.0), (1.0, 2.0))
    assert (converted.track, converted.starts, converted.hyperparameters, converted.reward) == (None, None, None, None)


def test_directions(tmp_path):
    forward = convert(export(tmp_path)).track
    backward = convert(export(tmp_path, REVERSE_DIR="True")).track
    assert backward.reversed and backward.digest == forward.reverse().digest
    assert line(convert(tmp_path), "REVERSE_DIR").note == ("clockwise" if forward.is_ccw else "anticlockwise")
    assert convert(export(tmp_path, ALTERNATE_DRIVING_DIRECTION=True)).both_directions
    varied = convert(export(tmp_path, ENABLE_DOMAIN_RANDOMIZATION=True))
    assert varied.randomize and "ENABLE_DOMAIN_RANDOMIZATION" in names(varied, Status.CONVERTED)
    for clockwise in (True, False):  # a world of one name is driven the way that is asked for
        converted = convert(export(tmp_path, TRACK_DIRECTION_CLOCKWISE=str(clockwise)))
        assert converted.track.is_ccw is not clockwise


def test_a_world_of_two_directions_has_two_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = Path(racer.__file__).parent.parent / "tracks" / "dune.csv"
    for name in ("there_cw", "there_ccw"):
        write(tmp_path, f"tracks/{name}.csv", source.read_text())
    folder = export(tmp_path / "f", WORLD_NAME="there", TRACK_DIRECTION_CLOCKWISE="true")
    assert convert(folder).track.name == "there_cw"
    folder = export(tmp_path / "f", WORLD_NAME="there", TRACK_DIRECTION_CLOCKWISE="false")
    assert convert(folder).track.name == "there_ccw"
    folder = export(tmp_path / "f", WORLD_NAME="there_cw", TRACK_DIRECTION_CLOCKWISE="false")
    assert convert(folder).track.name == "there_cw"


def test_a_world_that_is_not_on_the_shelf(tmp_path):
    folder = export(tmp_path, WORLD_NAME="harbour", TRACK_DIRECTION_CLOCKWISE="false")
    told(
        lambda: convert(folder),
        "training_params.yaml",
        "WORLD_NAME is 'harbour'",
        "Did you mean 'harbor'",
        "racer import-track harbour_ccw.npy",
        "--track",
    )


def test_a_folder_without_a_world_is_trained_on_the_default_track_and_says_so(tmp_path):
    folder = export(tmp_path, WORLD_NAME="")
    converted = convert(folder)
    assert (converted.track.name, line(converted, "WORLD_NAME").status) == ("harbor", Status.REPLACED)
    assert "no file names a world: harbor; choose another with --track" in line(converted, "WORLD_NAME").note
    (folder / "training_params.yaml").unlink()
    assert convert(folder).track.name == "harbor" and convert(folder, track="dune").track.name == "dune"


@pytest.mark.parametrize("own", [False, True])
def test_reverse_means_against_the_track_s_direction_whatever_the_folder_says(tmp_path, own):
    folder = export(tmp_path, REVERSE_DIR=str(own))
    assert convert(folder).track.reversed is own
    for options in ({}, {"track": "dune"}):
        converted = convert(folder, reverse=True, **options)
        assert converted.track.reversed
        assert line(converted, "REVERSE_DIR").status is (Status.CONVERTED if own else Status.REPLACED)
    assert "--reverse" in line(converted, "REVERSE_DIR").note or own


OTHER = REWARD.replace("progress", "speed")


@pytest.mark.parametrize(
    "key",
    ["custom_files/mine.py", "mine.py", "data-1b2c/models/x/custom_files/mine.py", "/custom_files/mine.py"],
)
def test_the_settings_name_the_other_files(tmp_path, key):
    folder = export(tmp_path)
    write(folder, "custom_files/mine.py", OTHER)
    write(folder, "custom_files/actions.json", {"action_space": ACTIONS[:3], "sensor": ["state"]})
    write(folder, "custom_files/learn.json", {"discount_factor": 0.5})
    named = {
        "REWARD_FILE_S3_KEY": key,
        "MODEL_METADATA_FILE_S3_KEY": "custom_files/actions.json",
        "HYPERPARAMETER_FILE_S3_KEY": "custom_files/learn.json",
    }
    env = "DR_LOCAL_S3_CUSTOM_FILES_PREFIX=custom_files\nDR_WORLD_NAME=harbor\nDR_LOCAL_S3_REWARD_KEY=" + key
    env += "\nDR_LOCAL_S3_MODEL_METADATA_KEY=$DR_LOCAL_S3_CUSTOM_FILES_PREFIX/actions.json"
    env += "\nDR_LOCAL_S3_HYPERPARAMETERS_KEY=${DR_LOCAL_S3_CUSTOM_FILES_PREFIX}/learn.json\n"
    for settings_file, text in (
        ("training_params.yaml", yaml.safe_dump({"WORLD_NAME": "harbor"} | named)),
        ("run.env", env),
    ):
        for name in ("training_params.yaml", "run.env"):
            (folder / name).unlink(missing_ok=True)
        write(folder, settings_file, text)
        converted = convert(folder)
        assert converted.reward == folder / "custom_files/mine.py"
        assert len(converted.actions.choices) == 3
        assert converted.hyperparameters["gamma"] == 0.5
        assert all(line(converted, name).status is Status.CONVERTED for name in named)
        assert line(converted, "REWARD_FILE_S3_KEY").note == str(folder / "custom_files/mine.py")
    assert convert(folder, reward="centerline").reward == "centerline"


def test_a_file_that_the_settings_name_and_the_folder_lacks(tmp_path):
    folder = export(tmp_path, REWARD_FILE_S3_KEY="models/mine.py")
    converted = convert(folder)
    assert converted.reward == folder / "reward_function.py"
    outcome = line(converted, "REWARD_FILE_S3_KEY")
    assert outcome.status is Status.REPLACED and "reward_function.py" in outcome.note
    (folder / "reward_function.py").unlink()
    told(lambda: convert(folder), "no 'models/mine.py', which REWARD_FILE_S3_KEY names", "--reward")


@pytest.mark.parametrize("key", ["../evil.py", "a/../../evil.py", "{}/evil.py", "evil.py", "..\\evil.py", "nul\0.py"])
def test_no_setting_and_no_link_leads_out_of_the_folder(tmp_path, key):
    write(tmp_path, "evil.py", OTHER)
    folder = export(tmp_path / "model", REWARD_FILE_S3_KEY=key.format(tmp_path))
    assert convert(folder).reward == folder / "reward_function.py"
    (folder / "reward_function.py").unlink()
    (folder / "reward_function.py").symlink_to(tmp_path / "evil.py")
    told(lambda: convert(folder), "reward_function.py is a link that leads out of", str(folder))


def test_files_of_other_tools_have_other_names(tmp_path):
    write(tmp_path, "configs/agent_params.json", {"action_space": ACTIONS[:4], "sensor": ["state"]})
    write(tmp_path, "configs/environment_params.yaml", 'WORLD_NAME:     "dune"\nRACE_TYPE: "TIME_TRIAL"\n')
    write(tmp_path, "configs/reward_function.py", REWARD)
    converted = convert(tmp_path)
    assert (converted.track.name, len(converted.actions.choices)) == ("dune", 4)
    write(tmp_path, "model_metadata.json", {"action_space": ACTIONS, "sensor": ["state"]})
    assert len(convert(tmp_path).actions.choices) == 10, "a model's own file says more"


@pytest.mark.parametrize("around", ["", "my-model/", "./", "my-model/model/"])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_archives_are_read_as_they_come(tmp_path, around, mode):
    folder = export(tmp_path / "model")
    write(folder, "evil.py", "raise SystemExit")
    archive = tmp_path / "my.tar.gz"
    with tarfile.open(archive, mode) as tar:
        for path in sorted(folder.rglob("*.*")):
            tar.add(path, around + path.relative_to(folder).as_posix())
    before = sorted(tmp_path.rglob("*"))
    unpacked, converted = convert(folder), convert(archive)
    assert isinstance(converted.reward, Document) and converted.reward.data.decode() == REWARD
    for name in ("track", "actions", "sensors", "starts", "hyperparameters", "both_directions"):
        ours, theirs = getattr(converted, name), getattr(unpacked, name)
        assert ours == theirs or ours.digest == theirs.digest
    assert sorted(tmp_path.rglob("*")) == before, "nothing is unpacked"
    assert all(str(path).startswith(str(archive)) for path in converted.files)
    archive.write_bytes(archive.read_bytes()[: 300 if mode == "w:gz" else 1200])
    told(lambda: convert(archive), "my.tar.gz")


def test_large_files_are_refused_by_their_size_and_bombs_by_their_depth(tmp_path):
    for name, read, limit in (
        ("h.json", read_hyperparameters, 2**20),
        ("m.json", read_model_metadata, 2**20),
        ("t.yaml", read_settings, 2**17),
        ("run.env", read_settings, 2**17),
    ):
        path = tmp_path / name
        path.write_bytes(b" " * (limit + 1))
        told(lambda read=read, path=path: read(path), str(path), f"up to {limit:,} bytes")
    for text in ("[" * 60_000 + "]" * 60_000, "{a: " * 25_000 + "}" * 25_000, "- " * 60_000):
        told(lambda text=text: read_settings(write(tmp_path, "t.yaml", text)), "t.yaml", "not valid YAML")
    doubled = "A0=xx\n" + "".join(f"A{i + 1}=$A{i}$A{i}\n" for i in range(40))
    told(lambda: read_settings(write(tmp_path, "run.env", doubled + "DR_RACE_TYPE=$A40\n")), "DR_RACE_TYPE is 'xx")
    os.mkfifo(tmp_path / "pipe.yaml")
    told(lambda: read_settings(tmp_path / "pipe.yaml"), "not a plain file but a pipe")


def test_starts(tmp_path):
    assert convert(export(tmp_path, CHANGE_START_POSITION="false")).starts == Rotation(0.0, 0.0)
    given_ = {"ROUND_ROBIN_ADVANCE_DIST": "0.2", "START_POSITION_OFFSET": "0.5"}
    converted = convert(export(tmp_path, **given_))
    assert converted.starts == Rotation(0.2, 0.5)
    assert line(converted, "START_POSITION_OFFSET").status is Status.CONVERTED


BOXES = {"RACE_TYPE": "OBJECT_AVOIDANCE", "NUMBER_OF_OBSTACLES": "4", "MIN_DISTANCE_BETWEEN_OBSTACLES": "1.5"}
BOT_CARS = {
    "RACE_TYPE": "HEAD_TO_BOT",
    "NUMBER_OF_BOT_CARS": "2",
    "BOT_CAR_SPEED": "0.7",
    "IS_LANE_CHANGE": "True",
    "LOWER_LANE_CHANGE_TIME": "2.0",
    "UPPER_LANE_CHANGE_TIME": "4.0",
    "LANE_CHANGE_DISTANCE": "1.2",
    "PENALTY_SECONDS": "3",
}


@pytest.mark.parametrize(
    ("settings", "traffic"),
    [
        (BOXES, Traffic(Boxes(4, gap_m=1.5))),
        (BOXES | {"RANDOMIZE_OBSTACLE_LOCATIONS": "True"}, Traffic(Boxes(4, drawn=True, gap_m=1.5))),
        (
            BOXES | {"OBJECT_POSITIONS": ["0.23,-1", "0.46,1"], "IS_OBSTACLE_BOT_CAR": "true"},
            Traffic(Boxes(places=(Place(0.23, "outer"), Place(0.46, "inner")), as_cars=True)),
        ),
        (BOT_CARS, Traffic(bots=Bots(2, 0.7, False, 2.0, True, (2.0, 4.0), 1.2, 3.0))),
        ({"RACE_TYPE": "HEAD_TO_BOT"}, Traffic(bots=Bots(3, 0.2))),
    ],
)
def test_boxes_and_bot_cars(tmp_path, settings, traffic):
    converted = convert(export(tmp_path, **settings))
    assert converted.traffic == traffic
    assert set(settings) <= names(converted, Status.CONVERTED)
    lines = [f"DR_RACE_TYPE={settings['RACE_TYPE']}"]
    for key, value in settings.items():
        if key in RACE_NAMES:
            lines.append(f"{RACE_NAMES[key]}={';'.join(value) if isinstance(value, list) else value!r}")
    assert read_settings(write(tmp_path, "run.env", "\n".join(lines))).traffic == traffic


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"OBJECT_POSITIONS": ["0.2;x"]}, ["OBJECT_POSITIONS", "pairs such as"]),
        ({"NUMBER_OF_OBSTACLES": "10000"}, ["NUMBER_OF_OBSTACLES", "10000"]),
        ({"NUMBER_OF_OBSTACLES": "60"}, ["At most"]),
    ],
)
def test_boxes_that_cannot_be(tmp_path, settings, words):
    told(lambda: convert(export(tmp_path, RACE_TYPE="OBJECT_AVOIDANCE", **settings)), "training_params.yaml", *words)


@pytest.mark.parametrize("race", ["HEAD_TO_MODEL", "F1"])
def test_other_races_are_refused(tmp_path, race):
    told(lambda: convert(export(tmp_path, RACE_TYPE=race)), "training_params.yaml", race, "TIME_TRIAL")


def test_sac_is_told_what_is_its_own(tmp_path):
    folder = export(tmp_path)
    write(
        folder,
        "model/model_metadata.json",
        {"action_space": RANGES, "action_space_type": "continuous", "training_algorithm": "sac", "sensor": ["state"]},
    )
    write(folder, "ip/hyperparameters.json", {"sac_alpha": "0.5", "lr": 1e-4})
    converted = convert(folder)
    assert {"training_algorithm", "sac_alpha", "discount_factor"} <= names(converted, Status.CONVERTED)
    assert {"beta_entropy", "num_epochs", "exploration_type"} <= names(converted, Status.IGNORED)
    assert {"lr", "batch_size", "num_episodes_between_training"} <= names(converted, Status.REPLACED)
    assert converted.hyperparameters == {"gamma": 0.999, "alpha": 0.5}
    told_of = {line.name for line in converted.report}
    assert set(Hyperparameters.__dataclass_fields__) - {"e_greedy_value", "epsilon_steps"} <= told_of


def test_e_greedy_is_replaced(tmp_path):
    folder = export(tmp_path)
    write(folder, "ip/hyperparameters.json", {"exploration_type": "e-greedy"})
    converted = convert(folder)
    assert "exploration_type" in names(converted, Status.REPLACED)
    assert "0.05 after 10000 steps" in line(converted, "exploration_type").value


@pytest.mark.parametrize(
    "agent, loss, status, learned_by",
    [
        ("clipped_ppo", "huber", Status.CONVERTED, "huber"),
        ("clipped_ppo", "Huber", Status.CONVERTED, "mean squared error"),
        ("ppo", "huber", Status.CONVERTED, "huber"),
        ("ppo", "mean squared error", Status.REPLACED, "huber"),
    ],
)
def test_the_loss_of_the_values(tmp_path, agent, loss, status, learned_by):
    folder = export(tmp_path)
    write(folder, "ip/hyperparameters.json", {"loss_type": loss})
    converted = convert(folder, agent=agent)
    outcome = line(converted, "loss_type")
    assert (outcome.value, outcome.status, outcome.note) == (loss, status, f"{learned_by}, of scaled rewards")
    assert converted.hyperparameters.get("loss_type", "huber") == learned_by


def test_a_folder_that_may_not_be_looked_into(tmp_path, monkeypatch):
    def closed(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    told(lambda: convert(tmp_path), f"cannot look into {tmp_path}: Permission denied")
