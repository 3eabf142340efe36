// Batch normalisation by given statistics, followed by a ReLU if wanted, and the gradients of image, scale and shift.
//
// y = f(x * a + b) with a = gamma / sqrt(variance + eps), b = beta - mean * a, and f a ReLU or nothing.
#include <math.h>

#include "tasks.h"
#include "vectors.h"

#define VALUES_PER_TASK 8192

typedef struct {
  const float *input, *gamma, *beta, *mean, *variance, *upstream;
  float *output, *gamma_gradient, *beta_gradient;
  float eps;
  int has_relu;
  int64_t batch, channels, area, channels_per_task;
} norm_context;

typedef struct {
  float deviation, scale, shift;   // deviation: 1 / sqrt(variance + eps)
} affine;

static affine make_affine(const norm_context *c, int64_t channel) {
  float deviation = 1.0f / sqrtf(c->variance[channel] + c->eps), scale = c->gamma[channel] * deviation;
  return (affine){deviation, scale, c->beta[channel] - c->mean[channel] * scale};
}

static void forward_task(void *argument, int64_t index) {
  const norm_context *c = argument;
  int64_t first = index * c->channels_per_task, last = at_most(c->channels, first + c->channels_per_task);
  for (int64_t item = 0; item < c->batch; ++item)
    for (int64_t channel = first; channel < last; ++channel) {
      affine f = make_affine(c, channel);
      const float *restrict x = c->input + (item * c->channels + channel) * c->area;
      float *restrict y = c->output + (item * c->channels + channel) * c->area;
      if (c->has_relu)
        for (int64_t i = 0; i < c->area; ++i) {
          float value = x[i] * f.scale + f.shift;
          y[i] = value < 0 ? 0 : value;   // not a number stays
        }
      else
        for (int64_t i = 0; i < c->area; ++i) y[i] = x[i] * f.scale + f.shift;
    }
}

// With g = dy where f' = 1 and 0 elsewhere: dx = g * a, dgamma = sum of g * (x - mean) * deviation, dbeta = sum of g.
static void backward_task(void *argument, int64_t index) {
  const norm_context *c = argument;
  int64_t first = index * c->channels_per_task, last = at_most(c->channels, first + c->channels_per_task);
  for (int64_t channel = first; channel < last; ++channel) {
    affine f = make_affine(c, channel);
    vec sum = {0}, product = {0};
    for (int64_t item = 0; item < c->batch; ++item) {
      int64_t offset = (item * c->channels + channel) * c->area;
      for (int64_t i = 0; i < c->area; i += LANES) {
        int64_t left = c->area - i;
        vec x = load_part(c->input + offset + i, left), g = load_part(c->upstream + offset + i, left);
        if (c->has_relu) g = choose(x * f.scale + f.shift > 0.0f, g, (vec){0});
        sum += g;
        product += g * (x - c->mean[channel]);
        store_part(c->output + offset + i, g * f.scale, left);
      }
    }
    c->beta_gradient[channel] = sum_lanes(sum);
    c->gamma_gradient[channel] = sum_lanes(product) * f.deviation;
  }
}

// Inputs x [N, C, ...], gamma, beta, mean, variance [C] and settings (eps, 1 for a ReLU or 0).
static norm_context make_context(void **params, int *ranks, int64_t **shapes) {
  const float *settings = params[5];
  norm_context c = {.input = params[0], .gamma = params[1], .beta = params[2], .mean = params[3],
                    .variance = params[4], .eps = settings[0], .has_relu = settings[1] != 0,
                    .batch = shapes[0][0], .channels = shapes[0][1], .area = extent(shapes[0], 2, ranks[0])};
  c.channels_per_task = at_least(1, VALUES_PER_TASK / at_least(1, c.batch * c.area));
  return c;
}

// x, gamma, beta, mean, variance, settings -> y [N, C, ...]
KERNEL(fixed_norm_forward) {
  (void)num_params, (void)types, (void)stream, (void)extra;
  norm_context c = make_context(params, ranks, shapes);
  c.output = params[6];
  run_tasks(forward_task, &c, ceil_divide(c.channels, c.channels_per_task));
  return 0;
}

// x, gamma, beta, mean, variance, settings, dy -> dx, dgamma, dbeta
KERNEL(fixed_norm_backward) {
  (void)num_params, (void)types, (void)stream, (void)extra;
  norm_context c = make_context(params, ranks, shapes);
  c.upstream = params[6];
  c.output = params[7], c.gamma_gradient = params[8], c.beta_gradient = params[9];
  run_tasks(backward_task, &c, ceil_divide(c.channels, c.channels_per_task));
  return 0;
}
