"""`racer compare --ray`: a real cluster of two nodes, one of which is killed in the middle."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'racer[ray]'")
cluster_utils = pytest.importorskip("ray.cluster_utils")

SMALL = {"object_store_memory": 80 * 2**20, "include_dashboard": False}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator["cluster_utils.Cluster"]:
    """A head that carries out nothing, and two nodes of one core each."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    try:
        yield made
    finally:
        made.shutdown()


@pytest.mark.slow
def test_a_lost_node_loses_no_training(cluster: "cluster_utils.Cluster", tmp_path: Path) -> None:
    nodes = [cluster.add_node(num_cpus=1, **SMALL) for _ in range(2)]
    cluster.wait_for_nodes()
    (tmp_path / "broken.py").write_text("def reward_function(params):\n    return params['wings']\n")
    words = ["compare", "progress", "broken.py", "--seeds", "3", "--steps", "30000", "--name", "x", "--json"]
    command = [sys.executable, "-m", "racer", *words, "--ray", cluster.address]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy()
    ) as process:
        assert process.stderr is not None and process.stdout is not None
        said = ""
        while "progress on harbor" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        assert "2 at a time" in said
        cluster.remove_node(nodes[0], allow_graceful=False)  # its training is lost
        out, rest = process.communicate(timeout=300)
    assert process.returncode == 0, said + rest
    found = json.loads(out)
    trainings = {(training["reward"], training["seed"]) for training in found["trainings"]}
    assert trainings == {("progress", 0), ("progress", 1), ("progress", 2)}
    assert found["problems"]["broken"]["trainings"] == 3
    assert "broken.py, line 2: KeyError: 'wings'" in found["problems"]["broken"]["first"]
    assert len(list((tmp_path / "lab/x/trainings").glob("*.replay"))) == 3

    words = ["compare", "progress", "--seeds", "7", "--steps", "30000", "--name", "x", "--resume", "--json"]
    command = [sys.executable, "-m", "racer", *words]
    with subprocess.Popen(
        [*command, "--ray", cluster.address], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = ""
        while "progress on harbor" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
    assert process.returncode == 130
    assert "go on with the same command and --name x --resume" in said and "Traceback" not in said
    kept = len(list((tmp_path / "lab/x/trainings").glob("*.replay")))
    assert 4 <= kept < 7
    seeds = ["--seeds", str(kept), *words[4:]]  # nothing is left to do, so no cluster is needed
    done = subprocess.run(
        [*command[:3], "compare", "progress", *seeds], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert len(json.loads(done.stdout)["trainings"]) == kept
