// RoIAlign with aligned pixels, each region on its own level, and the gradients of the levels.
//
// A bin is the mean of bilinear samples on a grid, so the weight of a pixel is the product of a weight of its row and
// one of its column: a region is summed over rows into one row for each row of bins, and these over columns.
#include <math.h>
#include <string.h>

#include "signature.h"
#include "tasks.h"

#define MOST_LEVELS 16         // room in the context; pyramids have 5
#define CHANNELS_PER_TASK 16   // of the backward pass: their planes of one level stay in the second cache

// Along one axis, what each bin takes of the pixels that the region touches.
typedef struct {
  int64_t origin, span;   // pixels [origin, origin + span)
  int32_t *from, *to;     // bin b takes of pixels [origin + from[b], origin + to[b])
  float *weights;         // [bins, span]
} side;

typedef struct {
  const float *rois;        // [images, regions, 4]
  const int32_t *level;     // [images, regions]
  float ratio;              // samples along a side of a bin, 0 for as many as it has pixels
  const float *scales;      // [levels]: pixels of the level for one of the input
  int64_t levels, images, regions, channels, bins, longest;
  const int64_t *sizes[MOST_LEVELS];   // [N, C, H, W] of each level
  const float *features[MOST_LEVELS];
  float *gradients[MOST_LEVELS];
  float *output;            // [images * regions, channels, bins, bins]
  const float *upstream;    // the same
} roi_context;

// Sets the pixel below a position and the share of the one above it; returns 0 where the sample counts as 0.
static inline int find_pixel(float position, int64_t size, int64_t *low, float *share) {
  if (!(position >= -1.0f && position <= (float)size)) return 0;   // not a number, too
  position = position > 0 ? position : 0;
  *low = at_most((int64_t)position, size - 1);
  *share = *low + 1 < size ? position - (float)*low : 0.0f;
  return 1;
}

static void make_side(const roi_context *c, float first, float last, float scale, int64_t size, side *s) {
  float start = first * scale - 0.5f, length = last * scale - 0.5f - start;
  if (!(length >= 0 && length <= 1e6f)) length = 0;   // no region: an infinite one would never end
  float bin = length / (float)c->bins;
  int64_t grid = c->ratio > 0 ? (int64_t)c->ratio : (int64_t)ceilf(bin), low;
  float step = bin / (float)grid, share;
  int64_t lowest = size, highest = -1;
  for (int64_t b = 0; b < c->bins; ++b) {
    int64_t from = size, to = 0;
    for (int64_t i = 0; i < grid; ++i)
      if (find_pixel(start + (float)b * bin + ((float)i + 0.5f) * step, size, &low, &share)) {
        from = at_most(from, low);
        to = at_least(to, at_most(low + 2, size));
      }
    s->from[b] = (int32_t)from, s->to[b] = (int32_t)to;
    lowest = at_most(lowest, from), highest = at_least(highest, to);
  }
  s->origin = at_most(lowest, size - 1);
  s->span = at_least(0, highest - s->origin);
  memset(s->weights, 0, c->bins * s->span * sizeof(float));
  for (int64_t b = 0; b < c->bins; ++b) {
    float *weights = s->weights + b * s->span;
    for (int64_t i = 0; i < grid; ++i)
      if (find_pixel(start + (float)b * bin + ((float)i + 0.5f) * step, size, &low, &share)) {
        weights[low - s->origin] += (1.0f - share) / (float)grid;
        if (low + 1 < size) weights[low + 1 - s->origin] += share / (float)grid;
      }
    s->from[b] -= (int32_t)s->origin, s->to[b] -= (int32_t)s->origin;
  }
}

// Both sides of a region, and room for a row of sums for each row of bins.
typedef struct {
  int64_t level, height, width;
  side rows, columns;
  float *sums;   // [bins, span of the columns]
} region;

// Returns 0 for a region on no level. Uses the thread's scratch memory.
static int make_region(const roi_context *c, int64_t index, region *r) {
  r->level = c->level[index];
  if (r->level < 0 || r->level >= c->levels) return 0;
  r->height = c->sizes[r->level][2], r->width = c->sizes[r->level][3];
  float *memory = scratch(c->bins * (3 * c->longest + 4));
  r->rows.weights = memory;
  r->columns.weights = memory + c->bins * c->longest;
  r->sums = memory + 2 * c->bins * c->longest;
  int32_t *ends = (int32_t *)(memory + 3 * c->bins * c->longest);
  r->rows.from = ends, r->rows.to = ends + c->bins;
  r->columns.from = ends + 2 * c->bins, r->columns.to = ends + 3 * c->bins;
  const float *box = c->rois + index * 4;
  make_side(c, box[1], box[3], c->scales[r->level], r->height, &r->rows);
  make_side(c, box[0], box[2], c->scales[r->level], r->width, &r->columns);
  return 1;
}

static void forward_task(void *argument, int64_t index) {
  const roi_context *c = argument;
  region r;
  float *output = c->output + index * c->channels * c->bins * c->bins;
  if (!make_region(c, index, &r)) {
    memset(output, 0, c->channels * c->bins * c->bins * sizeof(float));
    return;
  }
  int64_t image = index / c->regions, area = r.height * r.width, span = r.columns.span;
  const float *corner = c->features[r.level] + image * c->channels * area + r.rows.origin * r.width + r.columns.origin;
  for (int64_t channel = 0; channel < c->channels; ++channel, corner += area)
    for (int64_t b = 0; b < c->bins; ++b) {
      float *restrict sums = r.sums;
      memset(sums, 0, span * sizeof(float));
      for (int64_t y = r.rows.from[b]; y < r.rows.to[b]; ++y) {
        const float *restrict row = corner + y * r.width;
        float weight = r.rows.weights[b * r.rows.span + y];
        for (int64_t x = 0; x < span; ++x) sums[x] += weight * row[x];
      }
      for (int64_t q = 0; q < c->bins; ++q) {
        const float *weights = r.columns.weights + q * span;
        float sum = 0;
        for (int64_t x = r.columns.from[q]; x < r.columns.to[q]; ++x) sum += weights[x] * sums[x];
        *output++ = sum;
      }
    }
}

// Adds one region's gradient to one plane.
static void add_gradient(const roi_context *c, const region *r, const float *upstream, float *plane) {
  int64_t span = r->columns.span;
  float *corner = plane + r->rows.origin * r->width + r->columns.origin;
  float *restrict sums = r->sums;
  for (int64_t b = 0; b < c->bins; ++b) {
    memset(sums, 0, span * sizeof(float));
    for (int64_t q = 0; q < c->bins; ++q) {
      const float *weights = r->columns.weights + q * span;
      float value = upstream[b * c->bins + q];
      for (int64_t x = r->columns.from[q]; x < r->columns.to[q]; ++x) sums[x] += weights[x] * value;
    }
    for (int64_t y = r->rows.from[b]; y < r->rows.to[b]; ++y) {
      float *restrict row = corner + y * r->width;
      float weight = r->rows.weights[b * r->rows.span + y];
      for (int64_t x = 0; x < span; ++x) row[x] += weight * sums[x];
    }
  }
}

// A task has some channels of an image to itself and takes the regions in their order.
static void backward_task(void *argument, int64_t index) {
  const roi_context *c = argument;
  int64_t groups = ceil_divide(c->channels, CHANNELS_PER_TASK), image = index / groups;
  int64_t first = index % groups * CHANNELS_PER_TASK, last = at_most(c->channels, first + CHANNELS_PER_TASK);
  for (int64_t level = 0; level < c->levels; ++level) {
    int64_t area = extent(c->sizes[level], 2, 4);
    memset(c->gradients[level] + (image * c->channels + first) * area, 0, (last - first) * area * sizeof(float));
  }
  for (int64_t i = image * c->regions; i < (image + 1) * c->regions; ++i) {
    region r;
    if (!make_region(c, i, &r)) continue;
    for (int64_t channel = first; channel < last; ++channel)
      add_gradient(c, &r, c->upstream + (i * c->channels + channel) * c->bins * c->bins,
                   c->gradients[r.level] + (image * c->channels + channel) * r.height * r.width);
  }
}

// Whether the sizes that the signatures leave open go together.
static int is_pyramid(int64_t **shapes, const int64_t *pooled, int64_t levels, int64_t **features,
                      int64_t **gradients) {
  int fits = levels <= MOST_LEVELS && shapes[2][0] == 1 + levels && pooled[0] == extent(shapes[0], 0, 2);
  for (int64_t level = 0; fits && level < levels; ++level)
    fits = extent(features[level], 2, 4) > 0 && !memcmp(features[level], gradients[level], 4 * sizeof(int64_t));
  return fits;
}

// Settings: the sampling ratio, then the scale of each level.
static roi_context make_context(void **params, int64_t **shapes, const int64_t *pooled, int64_t levels,
                                int64_t **level_shapes) {
  const float *settings = params[2];
  roi_context c = {.rois = params[0], .level = params[1], .ratio = settings[0], .scales = settings + 1,
                   .levels = levels, .images = shapes[0][0], .regions = shapes[0][1], .channels = pooled[1],
                   .bins = pooled[2], .longest = 1};
  for (int64_t level = 0; level < levels; ++level) {
    c.sizes[level] = level_shapes[level];
    c.longest = at_least(c.longest, at_least(c.sizes[level][2], c.sizes[level][3]));
  }
  return c;
}

KERNEL(roi_align_forward) {
  REQUIRE("rois[N, R, 4], level int32[N, R], settings[?], features[N, C, ?, ?]+ -> y[?, C, b, b]",
          is_pyramid(shapes, shapes[num_params - 1], num_params - 4, shapes + 3, shapes + 3));
  int64_t levels = num_params - 4;
  roi_context c = make_context(params, shapes, shapes[num_params - 1], levels, shapes + 3);
  for (int64_t level = 0; level < levels; ++level) c.features[level] = params[3 + level];
  c.output = params[num_params - 1];
  run_tasks(forward_task, &c, c.images * c.regions);
  return 0;
}

KERNEL(roi_align_backward) {
  REQUIRE("rois[N, R, 4], level int32[N, R], settings[?], dy[?, C, b, b], features[N, C, ?, ?]+ -> "
          "gradients[N, C, ?, ?]+",
          is_pyramid(shapes, shapes[3], (num_params - 4) / 2, shapes + 4, shapes + 4 + (num_params - 4) / 2));
  int64_t levels = (num_params - 4) / 2;
  roi_context c = make_context(params, shapes, shapes[3], levels, shapes + 4);
  for (int64_t level = 0; level < levels; ++level) c.gradients[level] = params[4 + levels + level];
  c.upstream = params[3];
  run_tasks(backward_task, &c, c.images * ceil_divide(c.channels, CHANNELS_PER_TASK));
  return 0;
}
