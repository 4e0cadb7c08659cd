from .difficulty import DIFFICULTIES as DIFFICULTIES
from .generator import make_track as make_track
from .geometry import (
    Points as Points,
    arc_length as arc_length,
    directions as directions,
    headings as headings,
    nearest as nearest,
    point_at as point_at,
    resample as resample,
    signed_area as signed_area,
    smooth_curvature as smooth_curvature,
    vertex_normals as vertex_normals,
)
from .picture import svg_of_track as svg_of_track, svg_path as svg_path
from .store import (
    import_track as import_track,
    load_track as load_track,
    read_track as read_track,
    save_track as save_track,
    shelve as shelve,
    suffix_of as suffix_of,
)
from .track import Track as Track, track_from_arrays as track_from_arrays, track_summary as track_summary
