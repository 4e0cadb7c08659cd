from .canvas import Box as Box, Canvas as Canvas, check_picture as check_picture
from .comparison import Strip as Strip, comparison as comparison
from .laps import contact_sheet as contact_sheet, laps as laps
from .learning import (
    Curve as Curve,
    axis_limits as axis_limits,
    learning_curves as learning_curves,
    marks_between as marks_between,
    short_count as short_count,
)
from .mark import draw_mark as draw_mark
from .rewards import reward_map as reward_map
from .sensors import (
    Place as Place,
    View as View,
    draw_above as draw_above,
    draw_beams as draw_beams,
    draw_camera as draw_camera,
    draw_sectors as draw_sectors,
    places as places,
    sheet as sheet,
)
from .tournament import (
    Pairing as Pairing,
    draw_brackets as draw_brackets,
    draw_cross_table as draw_cross_table,
)
