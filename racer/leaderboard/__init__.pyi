from .audit import Action as Action
from .board import Board as Board
from .cleaning import (
    close as close,
    history as history,
    remove as remove,
    rename as rename,
    rename_driver as rename_driver,
    restore as restore,
)
from .names import clean_name as clean_name
from .page import as_page as as_page, save_page as save_page
from .ranking import Progress as Progress, TeamRow as TeamRow
from .records import AlreadyEnteredError as AlreadyEnteredError, Course as Course, Entry as Entry, Row as Row
from .reverifying import Outcome as Outcome
from .simple import Standings as Standings, add as add, add_all as add_all, standings as standings
from .storage import database as database
from .text import (
    as_markdown as as_markdown,
    as_records as as_records,
    laps_as_records as laps_as_records,
    ranked_by as ranked_by,
    shares_of_mark as shares_of_mark,
)
