from .archives import Archive as Archive, is_archive as is_archive, read_archive as read_archive
from .beside import Beside as Beside, run_module as run_module
from .files import (
    LIMITS as LIMITS,
    file_error as file_error,
    make_folder as make_folder,
    open_plain as open_plain,
    read_bytes as read_bytes,
    read_json as read_json,
    read_text as read_text,
    refuse_existing as refuse_existing,
    refuse_links as refuse_links,
    replacing as replacing,
    user_cache as user_cache,
    write_atomically as write_atomically,
)
from .names import (
    DEFAULTS as DEFAULTS,
    SHELVES as SHELVES,
    UNSEEN as UNSEEN,
    Entry as Entry,
    did_you_mean as did_you_mean,
    entries as entries,
    is_visible as is_visible,
    name_problem as name_problem,
    names as names,
    resolve as resolve,
    shipped_folder as shipped_folder,
)
from .parsing import parse_json as parse_json, parse_text as parse_text
from .scaffold import scaffold as scaffold
from .section import Section as Section
from .source import (
    explain as explain,
    named as named,
    parse_source as parse_source,
    read_source as read_source,
    shown as shown,
)
