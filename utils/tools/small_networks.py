"""The smallest network of each suite, some thousand weights, as arguments of its commands: for tools and tests."""

NAS_FPN_NETWORK = (
    "--img_shape=[128,128]",
    "--resnet_layers=[1,1,1,1]",
    "--resnet_width=4",
    "--nasfpn_out_channel=8",
    "--nasfpn_stack_times=1",
    "--head_stacked_convs=1",
)
SEGFORMER_NETWORK = (
    "--backbone_widths=[4,4,10,16]",
    "--backbone_depths=[1,1,1,1]",
    "--decoder_channels=8",
)
FASTER_RCNN_NETWORK = (
    "--img_height=64",
    "--img_width=96",
    "--res2net_layers=[1,1,1,1]",
    "--res2net_width=4",
    "--res2net_base_width=2",
    "--fpn_out_channels=8",
    "--rpn_feat_channels=8",
    "--rcnn_fc_out_channels=16",
    "--rpn_nms_pre=50",
    "--rpn_max_num=20",
    "--test_candidates=40",
)
FASTER_RCNN_SAMPLES = (  # few, as the network is small
    "--num_gts=8",
    "--num_expected_neg=32",
    "--num_expected_pos=16",
    "--rpn_proposal_nms_pre=50",
    "--rpn_proposal_max_num=40",
    "--num_expected_neg_stage2=16",
    "--num_expected_pos_stage2=8",
)
