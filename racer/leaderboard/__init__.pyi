from .board import (
    AlreadyEnteredError as AlreadyEnteredError,
    Entry as Entry,
    Row as Row,
    add as add,
    as_records as as_records,
    database as database,
    driver_name as driver_name,
    standings as standings,
)
