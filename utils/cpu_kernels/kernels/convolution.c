// Convolution as MindSpore calls it: values, and the gradients of image and weight.
#include "convolution.h"

// images [N, C, H, W], weight [O, C, k, k] -> outputs [N, O, ceil(H / stride), ceil(W / stride)]
KERNEL(convolution_forward) {
  (void)num_params, (void)ranks, (void)types, (void)stream, (void)extra;
  const int64_t *image = shapes[0], *weight = shapes[1], *output = shapes[2];
  shape s = make_shape(image, weight[0], weight[2], output[2], output[3], stride_between(image, output), 1);
  return convolve(&s, image[0], params[0], params[1], params[2], 0, (finish){0});
}

// the outputs' gradient, weight, images (for their size) -> the images' gradient
KERNEL(convolution_image_backward) {
  (void)num_params, (void)ranks, (void)types, (void)stream, (void)extra;
  const int64_t *output = shapes[0], *weight = shapes[1], *image = shapes[2];
  shape s = make_shape(output, weight[1], weight[2], image[2], image[3], 1, stride_between(image, output));
  return convolve(&s, image[0], params[0], params[1], params[3], 1, (finish){0});
}

// images, the outputs' gradient, weight (for its size) -> the weight's gradient
KERNEL(convolution_weight_backward) {
  (void)num_params, (void)ranks, (void)types, (void)stream, (void)extra;
  const int64_t *image = shapes[0], *output = shapes[1], *weight = shapes[2];
  shape s = make_shape(image, weight[0], weight[2], output[2], output[3], stride_between(image, output), 1);
  return differentiate_weight(&s, image[0], params[0], params[1], params[3]);
}
