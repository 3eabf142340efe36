// Layer normalisation over the last axis and its gradients.
#include <math.h>
#include <stdlib.h>

#include "signature.h"
#include "tasks.h"
#include "vectors.h"

// Each task has its own sums for the gradients of gamma and beta. Their number must not depend on that of the threads:
// 32 even out on 16 threads, and 64 rows of work outweigh a task's own sums.
#define MOST_TASKS 32
#define LEAST_ROWS 64

typedef struct {
  const float *input, *gamma, *beta, *upstream;
  float *output;
  float *partial;   // [tasks, 2, channels]: each task's share of the gradients of gamma and beta
  int64_t rows, channels, rows_per_task;
  float eps;
} norm_context;

// Mean and 1 / standard deviation of a row, in two passes as the sum of squares would lose digits.
INLINE void row_statistics(const float *row, int64_t channels, float eps, float *mean, float *scale) {
  vec sum = {0}, squares = {0};
  for (int64_t i = 0; i < channels; i += LANES) sum += load_part(row + i, channels - i);
  *mean = sum_lanes(sum) / channels;
  for (int64_t i = 0; i < channels; i += LANES) {
    vec distance = load_part(row + i, channels - i) - *mean;
    if (channels - i < LANES)
      for (int64_t lane = channels - i; lane < LANES; ++lane) distance[lane] = 0;
    squares += distance * distance;
  }
  *scale = 1.0f / sqrtf(sum_lanes(squares) / channels + eps);
}

static void forward_task(void *argument, int64_t index) {
  const norm_context *c = argument;
  int64_t last = at_most(c->rows, (index + 1) * c->rows_per_task);
  for (int64_t row = index * c->rows_per_task; row < last; ++row) {
    const float *x = c->input + row * c->channels;
    float *y = c->output + row * c->channels;
    float mean, scale;
    row_statistics(x, c->channels, c->eps, &mean, &scale);
    for (int64_t i = 0; i < c->channels; i += LANES) {
      int64_t left = c->channels - i;
      vec normal = (load_part(x + i, left) - mean) * scale;
      store_part(y + i, normal * load_part(c->gamma + i, left) + load_part(c->beta + i, left), left);
    }
  }
}

// With n = (x - mean) * scale and g = dy * gamma: dx = scale * (g - mean(g) - n * mean(g * n)).
static void backward_task(void *argument, int64_t index) {
  const norm_context *c = argument;
  float *gamma_gradient = c->partial + index * 2 * c->channels, *beta_gradient = gamma_gradient + c->channels;
  memset(gamma_gradient, 0, 2 * c->channels * sizeof(float));
  int64_t last = at_most(c->rows, (index + 1) * c->rows_per_task);
  for (int64_t row = index * c->rows_per_task; row < last; ++row) {
    const float *x = c->input + row * c->channels, *dy = c->upstream + row * c->channels;
    float mean, scale;
    row_statistics(x, c->channels, c->eps, &mean, &scale);
    vec sum = {0}, product = {0};
    for (int64_t i = 0; i < c->channels; i += LANES) {
      int64_t left = c->channels - i;
      vec normal = (load_part(x + i, left) - mean) * scale, up = load_part(dy + i, left);
      vec g = up * load_part(c->gamma + i, left);
      sum += g;
      product += g * normal;
      store_part(gamma_gradient + i, load_part(gamma_gradient + i, left) + up * normal, left);
      store_part(beta_gradient + i, load_part(beta_gradient + i, left) + up, left);
    }
    float mean_sum = sum_lanes(sum) / c->channels, mean_product = sum_lanes(product) / c->channels;
    for (int64_t i = 0; i < c->channels; i += LANES) {
      int64_t left = c->channels - i;
      vec normal = (load_part(x + i, left) - mean) * scale;
      vec g = load_part(dy + i, left) * load_part(c->gamma + i, left);
      store_part(c->output + row * c->channels + i, (g - mean_sum - normal * mean_product) * scale, left);
    }
  }
}

static int64_t split_rows(norm_context *c) {
  c->rows_per_task = at_least(LEAST_ROWS, ceil_divide(c->rows, MOST_TASKS));
  return ceil_divide(c->rows, c->rows_per_task);
}

KERNEL(layer_norm_forward) {
  REQUIRE("x[..., C], gamma[C], beta[C], eps[1] -> y[..., C]");
  norm_context c = {.input = params[0], .gamma = params[1], .beta = params[2], .output = params[4]};
  c.eps = *(const float *)params[3];
  c.rows = extent(shapes[0], 0, ranks[0] - 1);
  c.channels = shapes[0][ranks[0] - 1];
  run_tasks(forward_task, &c, split_rows(&c));
  return 0;
}

KERNEL(layer_norm_backward) {
  REQUIRE("x[..., C], gamma[C], eps[1], dy[..., C] -> dx[..., C], dgamma[C], dbeta[C]");
  norm_context c = {.input = params[0], .gamma = params[1], .upstream = params[3], .output = params[4]};
  c.eps = *(const float *)params[2];
  c.rows = extent(shapes[0], 0, ranks[0] - 1);
  c.channels = shapes[0][ranks[0] - 1];
  int64_t num_tasks = split_rows(&c);
  c.partial = malloc((num_tasks * 2 * c.channels + 1) * sizeof(float));
  if (!c.partial) return NO_MEMORY;
  run_tasks(backward_task, &c, num_tasks);
  float *gamma_gradient = params[5], *beta_gradient = params[6];
  for (int64_t i = 0; i < c.channels; ++i) {
    gamma_gradient[i] = beta_gradient[i] = 0;
    for (int64_t task = 0; task < num_tasks; ++task) {
      gamma_gradient[i] += c.partial[task * 2 * c.channels + i];
      beta_gradient[i] += c.partial[task * 2 * c.channels + c.channels + i];
    }
  }
  free(c.partial);
  return 0;
}
