// Gives Python the two operators of mmcv that the detectors call; compiled with mmcv's own sources.
#include <torch/extension.h>

#include "cpu/nms.cpp"
#include "cpu/roi_align.cpp"

Tensor nms(Tensor boxes, Tensor scores, float iou_threshold, int offset);
void roi_align_forward(Tensor input, Tensor rois, Tensor output, Tensor argmax_y, Tensor argmax_x, int aligned_height,
                       int aligned_width, float spatial_scale, int sampling_ratio, int pool_mode, bool aligned);

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  using pybind11::arg;
  module.def("nms", &nms, arg("boxes"), arg("scores"), arg("iou_threshold"), arg("offset"));
  module.def("roi_align_forward", &roi_align_forward, arg("input"), arg("rois"), arg("output"), arg("argmax_y"),
             arg("argmax_x"), arg("aligned_height"), arg("aligned_width"), arg("spatial_scale"), arg("sampling_ratio"),
             arg("pool_mode"), arg("aligned"));
}
