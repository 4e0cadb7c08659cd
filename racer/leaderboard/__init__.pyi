from .board import (
    AlreadyEnteredError as AlreadyEnteredError,
    Entry as Entry,
    Row as Row,
    add as add,
    add_all as add_all,
    as_records as as_records,
    database as database,
    standings as standings,
)
