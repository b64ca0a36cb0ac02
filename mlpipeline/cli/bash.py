"""Completion in bash of words like ``digits/lr=0.1``, which bash takes for several words."""

from __future__ import annotations

import os

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    split_arg_string,
)

SOURCE = """\
%(complete_func)s() {
    local kind value
    while IFS=',' read -r kind value; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(
        MLPIPELINE_LINE="${COMP_LINE:0:COMP_POINT}" MLPIPELINE_BREAKS="$COMP_WORDBREAKS" \\
            %(complete_var)s=bash_complete "$1"
    )
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
_END = "\x01"  # stands in no word


class Bash(BashComplete):
    """As click's, but words are what the shell would run, not what COMP_WORDBREAKS makes of them.

    Bash replaces only what stands after the last break, so that is all it is given.
    """

    source_template = SOURCE
    _kept = 0  # characters that bash leaves as they are

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is completed, and that one."""
        line = os.environ.get("MLPIPELINE_LINE")
        if line is None:
            return super().get_completion_args()
        *words, last = split_arg_string(f"{line}{_END}")  # the mark makes a word of an empty one
        last = last.removesuffix(_END)
        # Of --option=value, click completes the value alone.
        self._kept = _kept(last.partition("=")[2] if last.startswith("--") else last, line)
        return words[1:], last

    def format_completion(self, item: CompletionItem) -> str:
        """What bash puts in the place of what stands after the last break."""
        value = item.value[self._kept :] if item.type == "plain" else item.value
        return f"{item.type},{value}"


def _kept(word: str, line: str) -> int:
    """How many characters of ``word``, the last one in ``line``, bash leaves as they are."""
    if not line.endswith(word) or line.removesuffix(word).endswith(("'", '"')):
        return 0  # in quotes it is one word for bash, too
    breaks = os.environ.get("MLPIPELINE_BREAKS", "")
    return 1 + max((word.rfind(each) for each in breaks), default=-1)


def register() -> None:
    """Have click use it."""
    add_completion_class(Bash)
