// Softmax cross entropy of each pixel with logits that are enlarged to the labels' size on the way, and its gradient.
// The enlarged logits, many times as large as the logits, are never stored.
#include <stdlib.h>

#include "axis.h"
#include "signature.h"
#include "vectors.h"

typedef struct {
  axis rows, columns;
  const float *logits;                 // [N, C, h, w]
  const int32_t *labels;               // [N, H, W]
  const float *upstream;               // [N, H, W], gradient of the loss; backward only
  float *loss, *log_sums;              // [N, H, W]
  float *partial;                      // [N, h, 2, C, w]: what output rows between two rows give to either
  float *gradient;                     // [N, C, h, w]
  int64_t batch, classes;
} loss_context;

// Expands source row `row` of every class into [C, W].
static void expand_classes(const loss_context *c, int64_t item, int64_t row, float *expanded) {
  int64_t height = c->rows.source_size, width = c->columns.source_size;
  for (int64_t class = 0; class < c->classes; ++class)
    expand_row(&c->columns, c->logits + ((item * c->classes + class) * height + row) * width,
               expanded + class * c->columns.size);
}

INLINE vec blend(const float *low, const float *high, int64_t at, int64_t left, float share) {
  vec a = load_part(low + at, left);
  return a + (load_part(high + at, left) - a) * share;
}

static void forward_row(const loss_context *c, const float *low, const float *high, int64_t item, int64_t y) {
  int64_t width = c->columns.size, to_row = (item * c->rows.size + y) * width;
  float share = c->rows.share[y];
  for (int64_t x = 0; x < width; x += LANES) {
    int64_t left = at_most(LANES, width - x);
    vec top = blend(low, high, x, left, share), sum = {0};
    for (int64_t class = 1; class < c->classes; ++class)
      top = larger(top, blend(low, high, class * width + x, left, share));
    for (int64_t class = 0; class < c->classes; ++class)
      sum += exponential(blend(low, high, class * width + x, left, share) - top);
    vec log_sum = top + logarithm(sum), loss = {0};
    for (int64_t lane = 0; lane < left; ++lane) {
      int32_t label = c->labels[to_row + x + lane];
      if (label < 0 || label >= c->classes) continue;
      int64_t at = label * width + x + lane;
      loss[lane] = log_sum[lane] - (low[at] + (high[at] - low[at]) * share);
    }
    store_part(c->log_sums + to_row + x, log_sum, left);
    store_part(c->loss + to_row + x, loss, left);
  }
}

// A task is the output rows between source rows `row` and `row + 1`.
static void forward_task(void *argument, int64_t index) {
  const loss_context *c = argument;
  int64_t item = index / c->rows.source_size, row = index % c->rows.source_size, size = c->classes * c->columns.size;
  float *low = scratch(2 * size), *high = low + size;
  int is_expanded = 0;
  for (int64_t y = 0; y < c->rows.size; ++y) {
    if (c->rows.low[y] != row) continue;
    if (!is_expanded) {
      expand_classes(c, item, row, low);
      expand_classes(c, item, c->rows.high[y], high);
      is_expanded = 1;
    }
    forward_row(c, low, high, item, y);
  }
}

// Adds the gradients of one output row, upstream * (softmax - one hot), to those of the two expanded source rows.
static void backward_row(const loss_context *c, const float *low, const float *high, int64_t item, int64_t y,
                         float *low_sums, float *high_sums) {
  int64_t width = c->columns.size, to_row = (item * c->rows.size + y) * width;
  float share = c->rows.share[y];
  for (int64_t x = 0; x < width; x += LANES) {
    int64_t left = at_most(LANES, width - x);
    vec log_sum = load_part(c->log_sums + to_row + x, left), upstream = load_part(c->upstream + to_row + x, left);
    ivec label = (ivec)load_part((const float *)c->labels + to_row + x, left);
    upstream = choose((label >= 0) & (label < (int32_t)c->classes), upstream, (vec){0});
    for (int64_t class = 0; class < c->classes; ++class) {
      int64_t at = class * width + x;
      vec softmax = exponential(blend(low, high, at, left, share) - log_sum);
      vec gradient = upstream * choose(label == (int32_t)class, softmax - 1.0f, softmax), upper = gradient * share;
      store_part(low_sums + at, load_part(low_sums + at, left) + (gradient - upper), left);
      store_part(high_sums + at, load_part(high_sums + at, left) + upper, left);
    }
  }
}

static void backward_task(void *argument, int64_t index) {
  const loss_context *c = argument;
  int64_t item = index / c->rows.source_size, row = index % c->rows.source_size, size = c->classes * c->columns.size;
  float *low = scratch(4 * size), *high = low + size, *low_sums = high + size, *high_sums = low_sums + size;
  float *target = c->partial + index * 2 * c->classes * c->columns.source_size;
  int is_expanded = 0;
  memset(low_sums, 0, 2 * size * sizeof(float));
  for (int64_t y = 0; y < c->rows.size; ++y) {
    if (c->rows.low[y] != row) continue;
    if (!is_expanded) {
      expand_classes(c, item, row, low);
      expand_classes(c, item, c->rows.high[y], high);
      is_expanded = 1;
    }
    backward_row(c, low, high, item, y, low_sums, high_sums);
  }
  for (int64_t class = 0; class < 2 * c->classes; ++class)
    collapse_row(&c->columns, low_sums + class * c->columns.size, target + class * c->columns.source_size);
}

// Source row `row` of each class: what came from the output rows below it and above it.
static void gather_task(void *argument, int64_t index) {
  const loss_context *c = argument;
  int64_t height = c->rows.source_size, width = c->columns.source_size, item = index / height, row = index % height;
  const float *below = c->partial + index * 2 * c->classes * width, *above = below - c->classes * width;
  for (int64_t class = 0; class < c->classes; ++class) {
    float *target = c->gradient + ((item * c->classes + class) * height + row) * width;
    for (int64_t x = 0; x < width; ++x)
      target[x] = below[class * width + x] + (row > 0 ? above[class * width + x] : 0.0f);
  }
}

static int set_up(loss_context *c, const int64_t *logits_shape, const int64_t *labels_shape) {
  c->batch = logits_shape[0], c->classes = logits_shape[1];
  return make_axis(&c->rows, logits_shape[2], labels_shape[1]) |
         make_axis(&c->columns, logits_shape[3], labels_shape[2]);
}

static void tear_down(loss_context *c) {
  free_axis(&c->rows);
  free_axis(&c->columns);
  free(c->partial);
}

KERNEL(cross_entropy_forward) {
  REQUIRE("logits[N, C, h, w], labels int32[N, H, W] -> loss[N, H, W], log_sums[N, H, W]");
  loss_context c = {.logits = params[0], .labels = params[1], .loss = params[2], .log_sums = params[3]};
  int fails = set_up(&c, shapes[0], shapes[1]);
  if (!fails) run_tasks(forward_task, &c, c.batch * c.rows.source_size);
  tear_down(&c);
  return fails;
}

KERNEL(cross_entropy_backward) {
  REQUIRE("logits[N, C, h, w], labels int32[N, H, W], log_sums[N, H, W], dloss[N, H, W] -> "
          "dlogits[N, C, h, w]");
  loss_context c = {.logits = params[0], .labels = params[1], .log_sums = params[2], .upstream = params[3],
                    .gradient = params[4]};
  int fails = set_up(&c, shapes[0], shapes[1]);
  c.partial = malloc((c.batch * c.rows.source_size * 2 * c.classes * c.columns.source_size + 1) * sizeof(float));
  fails |= !c.partial;
  if (!fails) {
    run_tasks(backward_task, &c, c.batch * c.rows.source_size);
    run_tasks(gather_task, &c, c.batch * c.rows.source_size);
  }
  tear_down(&c);
  return fails;
}
