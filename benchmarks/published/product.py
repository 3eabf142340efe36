"""Calls this repository's commands as a user does, and reads what they leave."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.published.comparison import Found

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Inference:
    """What `infer.py` of a detector left.

    Attributes:
        rows: of detections.json.
        seconds: per picture, without compiling.
    """

    rows: list[dict]
    seconds: float

    def by_picture(self, class_of: Mapping[int, int], names: Sequence[str]) -> dict[str, Found]:
        """Returns the detections of each picture.

        Args:
            class_of: category id to the index of its class.
            names: of all pictures.
        """
        rows_of: dict[str, list] = {name: [] for name in names}
        for row in self.rows:
            rows_of[Path(row["file_name"]).name].append(row)
        return {
            name: Found.of_lists(
                [_corners(*row["bbox"]) for row in rows],
                [row["score"] for row in rows],
                [class_of[row["category_id"]] for row in rows],
            )
            for name, rows in rows_of.items()
        }


def run_command(suite: str, script: str, *arguments: object) -> str:
    """Runs an entry script in its suite's folder and returns what it printed.

    Raises:
        RuntimeError: it failed; the message is the end of its output.
    """
    command = [sys.executable, script, *map(str, arguments)]
    finished = subprocess.run(command, cwd=ROOT / suite, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"{suite}/{script} failed: {finished.stderr[-2000:]}")
    return finished.stdout + finished.stderr


def convert_detector(suite: str, file: Path, output: Path, *arguments: str) -> None:
    """Converts a file of MMDetection with the suite's command."""
    if not output.exists():
        run_command(suite, "convert_checkpoint.py", f"--ckpt_file={file}", f"--output={output}", *arguments)


def infer_detector(suite: str, checkpoint: Path, photos: Path, output: Path, *arguments: str) -> Inference:
    """Detects in a folder with the suite's command."""
    given = (f"--checkpoint_path={checkpoint}", f"--image_path={photos}", f"--infer_output_path={output}")
    printed = run_command(suite, "infer.py", *given, *arguments)
    seconds = float(re.search(r"([\d.]+) s per image", printed)[1])
    return Inference(json.loads((output / "detections.json").read_text()), seconds)


def evaluate_detector(suite: str, checkpoint: Path, coco: Path, run_dir: Path, *arguments: str) -> float:
    """Returns the AP that the suite's command gives a data set's split val2017."""
    given = (f"--checkpoint_path={checkpoint}", f"--coco_root={coco}", f"--run_dir={run_dir}", "--overwrite=True")
    run_command(suite, "eval.py", *given, f"--mindrecord_dir={run_dir / 'records'}", *arguments)
    return json.loads((run_dir / "result.json").read_text())["AP"]


def predict_classes(source: Path, checkpoint: Path, photos: Path, output: Path) -> None:
    """Converts weights of SegFormer and predicts a folder, with the suite's commands."""
    run_command(
        "segformer",
        "tools/convert_model.py",
        f"--pt_model_path={source}",
        f"--ms_model_path={checkpoint}",
        "--overwrite",
    )
    left_out = [f"--infer_{name}=False" for name in ("save_color_img", "save_overlap_img", "copy_original_img")]
    given = (f"--infer_ckpt_path={checkpoint}", f"--data_path={photos}", f"--infer_output_path={output}")
    run_command("segformer", "infer.py", *given, f"--run_dir={output}", *left_out)


def _corners(left: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
    return left, top, left + width, top + height
