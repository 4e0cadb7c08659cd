"""An old DeepRacer model as a model of racer's: its archive, or a graph beside its `model_metadata.json`."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from racer.deepracer.car.reading import MOST_BYTES, network_from_graph
from racer.deepracer.config import Document, ModelMetadata, read_model_metadata
from racer.errors import ModelError
from racer.racing import Model
from racer.shelf import is_archive, read_archive, read_bytes

__all__ = ["read_car_model"]

METADATA, USUAL = "model_metadata.json", "model.pb"
NAME_LIMIT = 100


def read_car_model(path: str | Path) -> tuple[Model, ModelMetadata]:
    """Read a model of DeepRacer's, trusting nothing in it.

    Args:
        path: an archive (`.tar.gz`) that holds `model_metadata.json` and a frozen graph (`.pb`), or such a graph with
            the metadata beside it or in the folder above.

    Returns:
        The model, and what its metadata says of it.

    Raises:
        ModelError: it is missing, damaged, or of a kind that racer cannot import; names file and operation.
        DeepRacerError: the metadata make no sense.
    """
    source = Path(path)
    graph, metadata = _packed(source) if is_archive(source) else _beside(source)
    read = read_model_metadata(metadata)
    if read.training_algorithm != "clipped_ppo":
        raise ModelError(
            f"{metadata.path}: its algorithm is {read.training_algorithm}; racer imports clipped_ppo alone"
        )
    network = network_from_graph(graph.data, str(graph.path))
    (seen,) = network.inputs
    if read.sensors != (seen.sensor,):
        raise ModelError(
            f"{metadata.path} says that it observes {', '.join(read.sensors)}, but {graph.path} observes {seen.sensor}"
        )
    name = source.name.split(".")[0] if graph.packed else source.resolve().parent.name
    try:
        return Model((name or "imported")[:NAME_LIMIT], "deepracer", read.sensors, read.actions, network), read
    except ModelError as wrong:
        raise ModelError(f"{source}: {wrong}") from wrong


def _packed(source: Path) -> tuple[Document, Document]:
    """The graph and the metadata of an archive."""
    archive = read_archive(source, lambda name: name.endswith((".pb", METADATA)), ModelError, MOST_BYTES + 2**20)
    graphs = {name: data for name, data in archive.files.items() if name.endswith(".pb")}
    texts = {name: data for name, data in archive.files.items() if PurePosixPath(name).name == METADATA}
    if not archive.complete and not (graphs and texts):
        raise ModelError(f"{source} is cut short; fetch it again")
    if not graphs or not texts:
        raise ModelError(
            f"{source} holds no {'graph (.pb)' if not graphs else METADATA}; give the archive for the physical car, "
            "which holds agent/model.pb and model_metadata.json"
        )
    usual = [name for name in graphs if PurePosixPath(name).name == USUAL] or sorted(graphs)
    if len(usual) > 1:
        raise ModelError(
            f"{source} holds {len(usual)} graphs, such as {usual[0]!a:.60}; unpack it and give one of them"
        )
    (graph,), text = usual, min(texts, key=len)
    if not archive.complete and graph == list(archive.files)[-1]:
        raise ModelError(f"{source} is cut short; fetch it again")
    return Document(source / graph, graphs[graph], True), Document(source / text, texts[text], True)


def _beside(source: Path) -> tuple[Document, Document]:
    """A graph, and the metadata that lie beside it or in the folder above."""
    if source.is_dir():
        raise ModelError(f"{source} is a folder; give the .pb in it, or the archive for the physical car")
    if source.suffix in (".gz", ".tgz", ".tar"):
        raise ModelError(f"{source} is no archive, or it is damaged; fetch it again")
    data = read_bytes(source, ModelError, MOST_BYTES)
    folders = (source.resolve().parent, source.resolve().parent.parent)
    found = next((folder / METADATA for folder in folders if (folder / METADATA).is_file()), None)
    if found is None:
        raise ModelError(f"there is no {METADATA} beside {source}; racer needs its action space")
    return Document(source, data), Document(found, read_bytes(found, ModelError, 2**20))
