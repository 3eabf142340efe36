"""The commands that same_results.py runs in both trees, of networks as small as those of the suites' tests."""

from dataclasses import dataclass

DETECTOR = ("--config_path=config/custom.yaml", "--device_target=CPU", "--num_parallel_workers=1")


@dataclass(frozen=True)
class Command:
    """A command of a suite: `{out}` is the folder of this tree, `{old}` that of the old one, `{data}` the pictures.

    Attributes:
        label: its name, and that of its folder in `{out}`.
        arguments: script and arguments.
        is_stopped: SIGTERM ends it after its first steps.
        trees: which of them run it.
    """

    label: str
    arguments: tuple[str, ...]
    is_stopped: bool = False
    trees: tuple[str, ...] = ("old", "new")


def detector_commands(common: tuple[str, ...], checkpoint: str, warmup: str, eval_data: tuple[str, ...]) -> list:
    """Returns the commands of a detector; each has MindRecord files of its own."""
    coco, keep = ("--coco_root={data}",), ("--file_name=model",)
    schedule = ("--epoch_size=2", "--log_interval=1", "--eval_interval=2", "--keep_checkpoint_max=5", warmup)
    from_old, from_new = (
        f"--checkpoint_path={{old}}/train/{checkpoint}",
        f"--checkpoint_path={{out}}/train/{checkpoint}",
    )
    places = {
        label: (f"--run_dir={{out}}/{label}", f"--mindrecord_dir={{out}}/{label}/records")
        for label in ("train", "stopped", "resumed", "eval", "infer", "export")
    }
    pictures = ("--image_path={data}/val2017", "--infer_output_path={out}/infer")
    return [
        Command("train", ("train.py", *common, *coco, *schedule, *places["train"])),
        Command("stopped", ("train.py", *common, *coco, *schedule, *places["stopped"]), True, ("old",)),
        Command("eval", ("eval.py", *common, *eval_data, from_old, *places["eval"], "--num_pictures=2")),
        Command("infer", ("infer.py", *common, from_new, *pictures, *places["infer"])),
        Command("export", ("export.py", *common, *keep, from_old, *places["export"], "--file_format=MINDIR")),
        Command("resumed", resume_arguments(*places["resumed"]), trees=("new",)),
    ]


def resume_arguments(*places: str) -> tuple[str, ...]:
    """Returns how a copy of the stopped run goes on: all but the folders is in the config.yaml that it holds."""
    return ("train.py", "--config_path={out}/resumed/config.yaml", "--resume=auto", *places)


def nas_fpn_commands() -> list[Command]:
    """Returns the commands of nas_fpn, with an export as ONNX, which is nearly the same in the other suites."""
    common = (*DETECTOR, "--img_shape=[128,128]", "--resnet_layers=[1,1,1,1]", "--resnet_width=4", "--min_score=0.0001")
    common += ("--nasfpn_out_channel=8", "--nasfpn_stack_times=1", "--head_stacked_convs=1", "--picture_min_score=0.01")
    checkpoint = "ckpt/retinanet_nasfpn-2_3.ckpt"
    onnx = (f"--checkpoint_path={{out}}/train/{checkpoint}", "--file_format=ONNX", "--file_name=onnx_model")
    return [
        *detector_commands(common, checkpoint, "--warmup_steps=1", ("--coco_root={data}",)),
        Command("onnx export", ("export.py", *common, *onnx, "--run_dir={out}/export")),
    ]


def faster_rcnn_commands() -> list[Command]:
    """Returns the commands of faster_rcnn: it trains on the COCO form of the boxes and evaluates on lines of text."""
    common = (*DETECTOR, "--img_height=64", "--img_width=128", "--res2net_layers=[1,1,1,1]", "--res2net_width=4")
    common += ("--res2net_base_width=2", "--fpn_out_channels=8", "--rpn_feat_channels=8", "--rcnn_fc_out_channels=16")
    common += ("--num_gts=8", "--num_expected_neg=32", "--num_expected_pos=16", "--rpn_proposal_nms_pre=50")
    common += ("--rpn_proposal_max_num=40", "--num_expected_neg_stage2=16", "--num_expected_pos_stage2=8")
    common += ("--rpn_nms_pre=50", "--rpn_max_num=50", "--test_candidates=400", "--test_score_thr=0.001")
    lines = ("--dataset=other", "--anno_path={data}/{{}}.txt", "--image_dir={data}/{{}}", "--coco_classes=[{names}]")
    return detector_commands(
        (*common, "--picture_min_score=0.1"), "ckpt_0/faster_rcnn-2_4.ckpt", "--warmup_step=1", lines
    )


def segformer_commands() -> list[Command]:
    """Returns the commands of segformer."""
    common = ("--config_path=config/custom.yaml", "--backbone_widths=[4,8,10,16]", "--backbone_depths=[1,1,1,1]")
    common += ("--decoder_channels=8", "--base_size=[64,128]", "--crop_size=[64,64]", "--device_target=CPU")
    common += ("--dataset_num_parallel_workers=1", "--dataset_eval_num_parallel_workers=1", "--data_path={data}")
    schedule = ("--epoch_size=2", "--train_log_interval=1", "--eval_interval=2", "--warmup_steps=1")
    schedule += ("--drop_path_rate=0.1", "--head_dropout=0.1")
    checkpoint = "train/checkpoint/segformer_mit_b0_2.ckpt"
    saved = ("--save_predictions=True", "--num_pictures=2", "--run_dir={out}/eval")
    places = ("--infer_output_path={out}/infer", "--run_dir={out}/infer")
    return [
        Command("train", ("train.py", *common, *schedule, "--run_dir={out}/train")),
        Command("stopped", ("train.py", *common, *schedule, "--run_dir={out}/stopped"), True, ("old",)),
        Command("eval", ("eval.py", *common, f"--eval_ckpt_path={{old}}/{checkpoint}", *saved)),
        Command("infer", ("infer.py", *common, f"--infer_ckpt_path={{out}}/{checkpoint}", *places)),
        Command(
            "export",
            (
                "export.py",
                *common,
                f"--export_ckpt_path={{old}}/{checkpoint}",
                "--export_format=MINDIR",
                "--run_dir={out}/export",
            ),
        ),
        Command("resumed", resume_arguments("--run_dir={out}/resumed"), trees=("new",)),
    ]


SUITES = {"nas_fpn": nas_fpn_commands, "segformer": segformer_commands, "faster_rcnn": faster_rcnn_commands}
