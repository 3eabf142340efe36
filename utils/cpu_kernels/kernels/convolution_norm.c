// Convolution with a batch norm of fixed statistics after it, and perhaps a residual and a ReLU: y = max(0, scale *
// (weight * x) + shift + residual), scale = gamma / deviation, shift = beta - mean * scale, for each output.
#include <math.h>

#include "convolution.h"
#include "signature.h"

static float inverse_deviation(float variance, const float *settings) { return 1.0f / sqrtf(variance + settings[0]); }

// scale = gamma / deviation. Where wanted also shift = beta - mean * scale, after the scales; null without memory.
static float *make_scale(int64_t outputs, const float *gamma, const float *variance, const float *settings,
                         const float *beta, const float *mean) {
  float *scale = malloc((2 * outputs + 1) * sizeof(float));
  for (int64_t i = 0; scale && i < outputs; ++i) {
    scale[i] = gamma[i] * inverse_deviation(variance[i], settings);
    if (beta) scale[outputs + i] = beta[i] - mean[i] * scale[i];
  }
  return scale;
}

static int convolve_and_norm(void **params, int64_t **shapes, const float *residual, int64_t *output, float *result) {
  const int64_t *image = shapes[0], *weight = shapes[1];
  const float *settings = params[6];
  float *scale = make_scale(weight[0], params[2], params[5], settings, params[3], params[4]);
  if (!scale) return NO_MEMORY;
  shape s = make_shape(image, weight[0], weight[2], output[2], output[3], stride_between(image, output), 1);
  finish last = {scale, scale + weight[0], residual, settings[1] != 0.0f};
  int failed = convolve(&s, image[0], params[0], params[1], result, 0, last);
  free(scale);
  return failed;
}

// The settings are eps and whether a ReLU follows.
KERNEL(convolution_norm_forward) {
  REQUIRE("x[N, C, H, W], weight[O, C, k, k], gamma[O], beta[O], mean[O], variance[O], settings[2] -> y[N, O, h, w]",
          is_convolution(shapes[0], shapes[1], shapes[7]));
  return convolve_and_norm(params, shapes, NULL, shapes[7], params[7]);
}

KERNEL(convolution_norm_residual_forward) {
  REQUIRE("x[N, C, H, W], weight[O, C, k, k], gamma[O], beta[O], mean[O], variance[O], settings[2], "
          "residual[N, O, h, w] -> y[N, O, h, w]",
          is_convolution(shapes[0], shapes[1], shapes[8]));
  return convolve_and_norm(params, shapes, params[7], shapes[8], params[8]);
}

typedef struct {
  const float *upstream, *result;
  float *gradient, *sums;
  int64_t batch, outputs, size;   // size: pixels of one output
  int has_relu;
} shift_context;

static void cut_gradient(void *argument, int64_t output) {
  const shift_context *c = argument;
  double total = 0.0;
  for (int64_t item = 0; item < c->batch; ++item) {
    int64_t start = (item * c->outputs + output) * c->size;
    vec sum = {0};
    for (int64_t i = 0; i < c->size; i += LANES) {
      int64_t at = start + i, left = c->size - i;
      vec value = load_part(c->upstream + at, left);
      if (c->has_relu) value = (vec)((ivec)value & (load_part(c->result + at, left) > 0.0f));
      store_part(c->gradient + at, value, left);
      sum += value;
    }
    for (int lane = 0; lane < LANES; ++lane) total += sum[lane];
  }
  c->sums[output] = (float)total;
}

// dz is the gradient before the ReLU, and the residual's.
KERNEL(convolution_norm_shift_backward) {
  REQUIRE("dy[N, O, h, w], y[N, O, h, w], settings[2], beta[O] -> dz[N, O, h, w], dbeta[O]");
  const float *settings = params[2];
  shift_context context = {params[0], params[1], params[4], params[5], shapes[0][0], shapes[0][1],
                           extent(shapes[0], 2, 4), settings[1] != 0.0f};
  run_tasks(cut_gradient, &context, context.outputs);
  return 0;
}

KERNEL(convolution_norm_image_backward) {
  REQUIRE("dz[N, O, h, w], weight[O, C, k, k], x[N, C, H, W], gamma[O], variance[O], settings[2] -> dx[N, C, H, W]",
          is_convolution(shapes[2], shapes[1], shapes[0]));
  const int64_t *output = shapes[0], *weight = shapes[1], *image = shapes[2];
  float *scale = make_scale(weight[0], params[3], params[4], params[5], NULL, NULL);
  if (!scale) return NO_MEMORY;
  shape s = make_shape(output, weight[1], weight[2], image[2], image[3], 1, stride_between(image, output));
  int failed = convolve(&s, image[0], params[0], params[1], params[6], 1, (finish){.scale = scale});
  free(scale);
  return failed;
}

typedef struct {
  const float *weight, *gamma, *mean, *variance, *beta_gradient, *settings;
  float *weight_gradient, *gamma_gradient;
  int64_t depth;
} scale_context;

// From the gradient of the scaled weight to those of weight and gamma: scaled weight = weight * gamma / deviation, and
// the shift has gamma in it too.
static void split_gradient(void *argument, int64_t output) {
  const scale_context *c = argument;
  const float *weight = c->weight + output * c->depth;
  float *gradient = c->weight_gradient + output * c->depth;
  float inverse = inverse_deviation(c->variance[output], c->settings), scale = c->gamma[output] * inverse;
  vec sum = {0};
  for (int64_t i = 0; i < c->depth; i += LANES) {
    int64_t left = c->depth - i;
    vec value = load_part(gradient + i, left);
    sum += value * load_part(weight + i, left);
    store_part(gradient + i, value * splat(scale), left);
  }
  double total = 0.0;
  for (int lane = 0; lane < LANES; ++lane) total += sum[lane];
  c->gamma_gradient[output] = (float)((total - (double)c->mean[output] * c->beta_gradient[output]) * inverse);
}

KERNEL(convolution_norm_weight_backward) {
  REQUIRE("x[N, C, H, W], dz[N, O, h, w], weight[O, C, k, k], gamma[O], mean[O], variance[O], dbeta[O], settings[2] -> "
          "dweight[O, C, k, k], dgamma[O]",
          is_convolution(shapes[0], shapes[2], shapes[1]));
  const int64_t *image = shapes[0], *output = shapes[1], *weight = shapes[2];
  shape s = make_shape(image, weight[0], weight[2], output[2], output[3], stride_between(image, output), 1);
  if (differentiate_weight(&s, image[0], params[0], params[1], params[8])) return NO_MEMORY;
  scale_context context = {params[2], params[3], params[4], params[5], params[6], params[7], params[8], params[9],
                           extent(weight, 1, 4)};
  run_tasks(split_gradient, &context, weight[0]);
  return 0;
}
