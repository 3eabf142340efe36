// Convolution as MindSpore calls it: values, and the gradients of image and weight.
#include "convolution.h"
#include "signature.h"

KERNEL(convolution_forward) {
  REQUIRE("x[N, C, H, W], weight[O, C, k, k] -> y[N, O, h, w]", is_convolution(shapes[0], shapes[1], shapes[2]));
  const int64_t *image = shapes[0], *weight = shapes[1], *output = shapes[2];
  shape s = make_shape(image, weight[0], weight[2], output[2], output[3], stride_between(image, output), 1);
  return convolve(&s, image[0], params[0], params[1], params[2], 0, (finish){0});
}

KERNEL(convolution_image_backward) {
  REQUIRE("dy[N, O, h, w], weight[O, C, k, k], x[N, C, H, W] -> dx[N, C, H, W]",
          is_convolution(shapes[2], shapes[1], shapes[0]));
  const int64_t *output = shapes[0], *weight = shapes[1], *image = shapes[2];
  shape s = make_shape(output, weight[1], weight[2], image[2], image[3], 1, stride_between(image, output));
  return convolve(&s, image[0], params[0], params[1], params[3], 1, (finish){0});
}

KERNEL(convolution_weight_backward) {
  REQUIRE("x[N, C, H, W], dy[N, O, h, w], weight[O, C, k, k] -> dweight[O, C, k, k]",
          is_convolution(shapes[0], shapes[2], shapes[1]));
  const int64_t *image = shapes[0], *output = shapes[1], *weight = shapes[2];
  shape s = make_shape(image, weight[0], weight[2], output[2], output[3], stride_between(image, output), 1);
  return differentiate_weight(&s, image[0], params[0], params[1], params[3]);
}
