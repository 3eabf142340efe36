"""What data sets call their splits, for the commands that look for them; in small letters."""

# The likeliest first. The last of each is the folder of SegNet's labels of CamVid.
SPLIT_WORDS = {
    "train": ("train", "training", "trainset", "trn", "trainannot"),
    "val": ("valid", "val", "validation", "valset", "dev", "eval", "valannot"),
    "test": ("test", "testing", "testset", "testannot"),
}
TRAINVAL = "trainval"  # training and validation together: what no other split has is trained on
