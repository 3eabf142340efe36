// Depthwise 3x3 convolution with zero padding and GELU after it, on tokens [N, H, W, C], and its gradients.
#include <stdlib.h>

#include "signature.h"
#include "tasks.h"
#include "vectors.h"

#define TAPS 9          // weights of a channel, 3 x 3
#define MOST_BANDS 32   // of rows of one map, a task each; not by threads, as the weight's gradient is summed over them
#define LEAST_BAND 2    // the backward pass computes two more rows of slopes than a band has

typedef struct {
  const float *input, *weight, *bias, *upstream;   // [N, H, W, C], [C, 9], [C], [N, H, W, C]
  float *output;                                   // forward: the result; backward: the gradient of the input
  float *packed;                                   // [10, padded C]: the weights tap by tap, then the bias
  float *partial;                                  // [tasks, 10, padded C]: parts of the gradient of `packed`
  int64_t batch, height, width, channels, channels_padded, band, bands;
} depthwise_context;

static int set_up(depthwise_context *c, const int64_t *shape) {
  c->batch = shape[0], c->height = shape[1], c->width = shape[2], c->channels = shape[3];
  c->channels_padded = ceil_divide(c->channels, LANES) * LANES;
  c->band = at_least(LEAST_BAND, ceil_divide(c->height, MOST_BANDS));
  c->bands = ceil_divide(c->height, c->band);
  c->packed = calloc((TAPS + 1) * c->channels_padded + 1, sizeof(float));
  if (!c->packed) return NO_MEMORY;
  for (int64_t i = 0; i < c->channels; ++i) {
    for (int tap = 0; tap < TAPS; ++tap) c->packed[tap * c->channels_padded + i] = c->weight[i * TAPS + tap];
    if (c->bias) c->packed[TAPS * c->channels_padded + i] = c->bias[i];
  }
  return 0;
}

// Taps that lie inside the map at (y, x): their numbers and the distance of their pixels in floats.
INLINE int inner_taps(const depthwise_context *c, int64_t y, int64_t x, int *taps, int64_t *steps) {
  int count = 0;
  for (int tap = 0; tap < TAPS; ++tap) {
    int64_t dy = tap / 3 - 1, dx = tap % 3 - 1;
    if (y + dy < 0 || y + dy >= c->height || x + dx < 0 || x + dx >= c->width) continue;
    taps[count] = tap;
    steps[count++] = (dy * c->width + dx) * c->channels;
  }
  return count;
}

INLINE vec convolve(const depthwise_context *c, const float *pixel, int64_t i, int count, const int *taps,
                    const int64_t *steps) {
  vec sum = load(c->packed + TAPS * c->channels_padded + i);
  for (int t = 0; t < count; ++t)
    sum += load(c->packed + taps[t] * c->channels_padded + i) * load_part(pixel + steps[t] + i, c->channels - i);
  return sum;
}

static void forward_task(void *argument, int64_t index) {
  const depthwise_context *c = argument;
  int64_t item = index / c->bands, first = index % c->bands * c->band, last = at_most(c->height, first + c->band);
  for (int64_t y = first; y < last; ++y)
    for (int64_t x = 0; x < c->width; ++x) {
      int taps[TAPS];
      int64_t steps[TAPS], to = ((item * c->height + y) * c->width + x) * c->channels;
      int count = inner_taps(c, y, x, taps, steps);
      for (int64_t i = 0; i < c->channels; i += LANES)
        store_part(c->output + to + i, gelu(convolve(c, c->input + to, i, count, taps, steps)), c->channels - i);
    }
}

// Gradient of the convolution's result, in rows [first - 1, last + 1) of the map where they exist, into `slopes`.
static void compute_slopes(const depthwise_context *c, int64_t item, int64_t first, int64_t last, float *slopes) {
  for (int64_t y = at_least(0, first - 1); y < at_most(c->height, last + 1); ++y)
    for (int64_t x = 0; x < c->width; ++x) {
      int taps[TAPS];
      int64_t steps[TAPS], to = ((item * c->height + y) * c->width + x) * c->channels;
      int64_t local = ((y - first + 1) * c->width + x) * c->channels;
      int count = inner_taps(c, y, x, taps, steps);
      for (int64_t i = 0; i < c->channels; i += LANES) {
        vec slope = gelu_slope(convolve(c, c->input + to, i, count, taps, steps));
        store_part(slopes + local + i, slope * load_part(c->upstream + to + i, c->channels - i), c->channels - i);
      }
    }
}

// Adds the products of one row's slopes with the input under each tap; sums stay in registers along the row.
static void add_weight_gradients(const depthwise_context *c, const float *row, const float *slopes, int64_t y,
                                 float *sums) {
  for (int64_t i = 0; i < c->channels; i += LANES) {
    int64_t left = c->channels - i;
    for (int dy = -1; dy <= 1; ++dy) {
      if (y + dy < 0 || y + dy >= c->height) continue;
      const float *source = row + dy * c->width * c->channels + i;
      float *sum = sums + (dy + 1) * 3 * c->channels_padded + i;
      vec before = load(sum), at = load(sum + c->channels_padded), after = load(sum + 2 * c->channels_padded);
      vec previous = {0}, present = load_part(source, left);
      for (int64_t x = 0; x < c->width; ++x) {
        vec next = x + 1 < c->width ? load_part(source + (x + 1) * c->channels, left) : (vec){0};
        vec slope = load_part(slopes + x * c->channels + i, left);
        before += slope * previous;
        at += slope * present;
        after += slope * next;
        previous = present;
        present = next;
      }
      store(sum, before);
      store(sum + c->channels_padded, at);
      store(sum + 2 * c->channels_padded, after);
    }
    float *sum = sums + TAPS * c->channels_padded + i;
    vec total = load(sum);
    for (int64_t x = 0; x < c->width; ++x) total += load_part(slopes + x * c->channels + i, left);
    store(sum, total);
  }
}

static void backward_task(void *argument, int64_t index) {
  const depthwise_context *c = argument;
  int64_t item = index / c->bands, first = index % c->bands * c->band, last = at_most(c->height, first + c->band);
  int64_t row = c->width * c->channels;
  float *slopes = scratch((c->band + 2) * row + LANES), *sums = c->partial + index * (TAPS + 1) * c->channels_padded;
  memset(sums, 0, (TAPS + 1) * c->channels_padded * sizeof(float));
  compute_slopes(c, item, first, last, slopes);
  for (int64_t y = first; y < last; ++y) {
    const float *slope_row = slopes + (y - first + 1) * row;
    int64_t to_row = (item * c->height + y) * row;
    add_weight_gradients(c, c->input + to_row, slope_row, y, sums);
    for (int64_t x = 0; x < c->width; ++x) {
      int taps[TAPS];
      int64_t steps[TAPS], at = x * c->channels;
      int count = inner_taps(c, y, x, taps, steps);
      for (int64_t i = 0; i < c->channels; i += LANES) {
        vec sum = {0};
        for (int t = 0; t < count; ++t)   // the pixel on one side was seen by its neighbour through the opposite tap
          sum += load(c->packed + (TAPS - 1 - taps[t]) * c->channels_padded + i) *
                 load_part(slope_row + at + steps[t] + i, c->channels - i);
        store_part(c->output + to_row + at + i, sum, c->channels - i);
      }
    }
  }
}

KERNEL(depthwise_gelu_forward) {
  REQUIRE("x[N, H, W, C], weight[C, 1, 3, 3], bias[C] -> y[N, H, W, C]");
  depthwise_context c = {.input = params[0], .weight = params[1], .bias = params[2], .output = params[3]};
  if (set_up(&c, shapes[0])) return NO_MEMORY;
  run_tasks(forward_task, &c, c.batch * c.bands);
  free(c.packed);
  return 0;
}

KERNEL(depthwise_gelu_backward) {
  REQUIRE("x[N, H, W, C], weight[C, 1, 3, 3], bias[C], dy[N, H, W, C] -> "
          "dx[N, H, W, C], dweight[C, 1, 3, 3], dbias[C]");
  depthwise_context c = {.input = params[0], .weight = params[1], .bias = params[2], .upstream = params[3],
                         .output = params[4]};
  if (set_up(&c, shapes[0])) return NO_MEMORY;
  int64_t num_tasks = c.batch * c.bands, size = (TAPS + 1) * c.channels_padded;
  c.partial = malloc((num_tasks * size + 1) * sizeof(float));
  if (!c.partial) {
    free(c.packed);
    return NO_MEMORY;
  }
  run_tasks(backward_task, &c, num_tasks);
  float *weight_gradient = params[5], *bias_gradient = params[6];
  for (int64_t i = 0; i < c.channels; ++i)
    for (int tap = 0; tap <= TAPS; ++tap) {
      float sum = 0;
      for (int64_t task = 0; task < num_tasks; ++task) sum += c.partial[task * size + tap * c.channels_padded + i];
      if (tap < TAPS) weight_gradient[i * TAPS + tap] = sum;
      else bias_gradient[i] = sum;
    }
  free(c.partial);
  free(c.packed);
  return 0;
}
