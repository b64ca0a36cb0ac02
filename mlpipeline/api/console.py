"""Small console helpers that historic scripts import."""

import sys
from os.path import abspath, dirname

from mlpipeline.api.reporting import log


class console_colors:  # noqa: N801 - the historic spelling is the public name
    """ANSI escape sequences (ECMA-48, "Select Graphic Rendition")."""

    RESET = "\033[0m"
    BOLD = "\033[1m"
    BLACK_FG = "\033[30m"
    RED_FG = "\033[31m"
    GREEN_FG = "\033[32m"
    YELLOW_FG = "\033[33m"
    BLUE_FG = "\033[34m"
    MAGENTA_FG = MEGENTA_FG = "\033[35m"
    CYAN_FG = "\033[36m"
    WHITE_FG = "\033[37m"
    BLACK_BG = "\033[40m"
    RED_BG = "\033[41m"
    GREEN_BG = "\033[42m"
    YELLOW_BG = "\033[43m"
    BLUE_BG = "\033[44m"
    MAGENTA_BG = MEGENTA_BG = "\033[45m"
    CYAN_BG = "\033[46m"
    WHITE_BG = "\033[47m"


# What a terminal obeys and does not show (ECMA-48): control sequences, control strings to their
# end, other escape sequences, and lone control characters but tab and line end.
_CONTROLS = (
    r"(?:\033\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\033[]P^_X]|[\x90\x98\x9d-\x9f])[^\n\a\033\x9c]*(?:\a|\033\\|\x9c)?"
    r"|\033[ -/]*[0-~]"
    r"|[\0-\x08\x0b-\x1f\x7f-\x9f]"
)


def printable(text: str) -> str:
    """``text`` without colours and all else that a terminal would obey; tabs and line ends stay."""
    if text.isprintable():
        return text
    import re  # few texts have any

    return re.sub(_CONTROLS, "", text)


def add_script_dir_to_PATH(current_dir: str | None = None) -> None:  # noqa: N802
    """Put ``current_dir`` (by default the calling script's folder) first in ``sys.path``."""
    if current_dir is None:
        current_dir = dirname(abspath(sys._getframe(1).f_code.co_filename))
    if current_dir not in sys.path:
        sys.path.insert(0, current_dir)
    log(f"{current_dir} is in the module search path")
