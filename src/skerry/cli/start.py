"""What is answered, or begun, before the command line itself is loaded.

Loading takes several times as long as the answer where nothing has changed: `check` is answered
from what is remembered of the folder, and for `plan` and `apply` the nodes are asked at once what
they were asked last time. Where they answer as they did when nothing was to be changed, that is
said. Command lines that are not as plain as most are left to click, and so is every error.
"""

from __future__ import annotations

import os
import time

# Not from `typing`, which takes longer to import than all that is done here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from skerry.cache.glance import Glance
    from skerry.edge.early import Begun

# Verbs that ask all nodes the same, and their options that do not change the question.
_ASKING = {"plan": (), "apply": ("-y", "--yes")}
_ASKING_WITH_WORD = {"plan": (), "apply": ("-m", "--message")}

# Whoever waits longer for the nodes loads the command meanwhile, in seconds: in all, and when half
# of the nodes have answered and then nobody has.
_WITHIN = 1.0
_LATE = 0.3
# So many connections may be made at once.
_AT_ONCE = 16


class Start:
    """The beginning of one run of ``skerry`` with these arguments.

    `glance` is what is remembered of the cloud folder, and `begun` what the nodes are being asked;
    None where the arguments are not plain. `ahead` is what was begun for when they have answered.
    `started` is on the clock `time.monotonic`, in seconds.
    """

    def __init__(self, arguments: list[str]) -> None:
        self.glance: Glance | None = None
        self.begun: Begun | None = None
        self.ahead: Begun | None = None
        self.started = time.monotonic()
        self._plain = None if "_SKERRY_COMPLETE" in os.environ else try_parse_plain(arguments)

    def try_answer(self) -> int | None:
        """Answers at once and returns the exit code; None where all has to be loaded."""
        if self._plain is None:
            return None
        from skerry.load.folder import try_find_folder

        verb, start, as_json = self._plain
        folder = try_find_folder(start)
        if folder is None:
            return None
        from skerry.cache.glance import Glance

        self.glance = Glance(folder)
        if verb != "check":
            self._ask()
            return None if as_json else self._try_rest(verb)
        verdict = self.glance.try_verdict()
        if verdict is None:
            return None
        from skerry.cli.verdict import render_verdict

        seconds = time.monotonic() - self.started
        print(render_verdict(verdict, seconds, as_json=as_json), flush=True)
        return 0

    def _ask(self) -> None:
        """Has ssh ask the nodes what they were asked last time, if it is the same cloud still."""
        from skerry.edge.early import Begun, is_connected
        from skerry.edge.paths import is_private, socket_path

        assert self.glance is not None
        self.begun = Begun()
        # Else whoever made the folder with the connections' sockets could answer.
        if not is_private(socket_path()):
            return
        questions = self.glance.questions()
        # All are begun at once, without the window of `edge`: many only over what stands already.
        if len(questions) <= _AT_ONCE or all(is_connected(words) for words, _ in questions):
            self.begun.begin(questions)

    def _try_rest(self, verb: str) -> int | None:
        """Says that nothing is to be changed, where the nodes' answers are known to mean that."""
        assert self.glance is not None and self.begun is not None
        known = self.glance.try_rest()
        if known is None:
            return None
        asked = time.monotonic()
        answers = self.begun.overhear(late=_LATE, within=_WITHIN)
        if answers is None or not self.glance.is_at_rest(known, answers, time.time()):
            return None
        words = known["words"]
        if verb == "apply":
            from skerry.cli.verdict import render_times

            ended = time.monotonic()
            seconds = {"load": asked - self.started, "observe": ended - asked, "plan": 0.0}
            words = render_times(words, seconds, ended - self.started)
        print(words, flush=True)
        return 0

    def end(self) -> None:
        """Ends what was begun and not needed."""
        for begun in (self.begun, self.ahead):
            if begun is not None:
                begun.stop()


def try_parse_plain(arguments: list[str]) -> tuple[str, str, bool] | None:
    """The verb, the folder, and whether JSON is wanted; None where that is for click to say.

    Whatever is understood here, click understands in the same way (test).
    """
    verb, folder, as_json = "", "", False
    words = iter(arguments)
    for word in words:
        if word == "--json":
            as_json = True
        elif not verb and word == "-C" and not folder:
            folder = next(words, "")
            if not folder or folder.startswith("-"):
                return None
        elif not verb and word in ("-v", "--verbose"):
            continue
        elif not verb and (word == "check" or word in _ASKING):
            verb = word
        elif verb in _ASKING and word in _ASKING[verb]:
            continue
        elif verb in _ASKING and word in _ASKING_WITH_WORD[verb]:
            if next(words, "-").startswith("-"):
                return None
        else:
            return None
    return (verb, folder or ".", as_json) if verb else None
