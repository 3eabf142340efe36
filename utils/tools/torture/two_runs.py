"""Two trainings at once on one data folder, the second with other classes: neither is to notice the other."""

import signal
import time
from pathlib import Path

from utils.tools.torture.bench import Bench, Try, last_line
from utils.tools.torture.compare import differences, facts_of
from utils.tools.torture.moments import STEP, condition_of, delay_after
from utils.tools.torture.small_suites import DATA_NAME, SmallSuite

KIND = "two runs at once"
_OTHER = "--coco_classes=[truck, person, car]"
_NAMES = "names of files"


def try_two_runs(bench: Bench) -> Try:
    """Holds a training at some step until another has made its own MindRecord files in the same folder."""
    tried, here = bench.new_try(KIND)
    bench.reference()
    other = bench.reference(_OTHER)
    bench.fill(here)
    beside = here.with_name(f"{here.name}other")
    beside.mkdir()
    (beside / DATA_NAME).symlink_to(here / DATA_NAME)
    with bench.start(here) as first:
        if not first.wait_for(condition_of(STEP, bench.suite, here)):
            tried.lost.append(f"the first training ends before its first step: {last_line(first.output)}")
            return tried
        time.sleep(delay_after(STEP, 0, bench.draws))
        first.process.send_signal(signal.SIGSTOP)
        with bench.start(beside, _OTHER) as second:
            second.wait_for(condition_of(STEP, bench.suite, beside))
            first.process.send_signal(signal.SIGCONT)
            codes = first.finish(), second.finish()
            outputs = first.output, second.output
    tried.moments.append({"at": STEP, "made": sorted(_sets(bench.suite, here))})
    for name, code, output in zip(("first", "second"), codes, outputs, strict=True):
        if code or "Traceback" in output:
            tried.lost.append(f"the {name} training ends with exit code {code}: {last_line(output)}")
    for name, folder, reference in (("first", here, bench.reference()), ("second", beside, other)):
        found = differences(_facts(bench.suite, folder), {**reference.facts, _NAMES: []})
        tried.lost += [f"the {name} training: {difference}" for difference in found[:3]]
    return tried


def _facts(suite: SmallSuite, here: Path) -> dict[str, object]:
    """The names of files are passed over: the folder of the data holds the sets of both."""
    return {**facts_of(suite, here), _NAMES: []}


def _sets(suite: SmallSuite, here: Path) -> list[str]:
    """Returns the folders of MindRecord files that were made."""
    folder = here / DATA_NAME / suite.records
    return [path.name for path in folder.iterdir() if path.is_dir()]
