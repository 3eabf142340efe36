// Sigmoid focal loss (Lin et al. 2017, eq. 5), summed over the classes of each anchor, and its gradient.
//
// With s = -x for the class that is present and s = x for the others, the loss of one logit x is
// weight * sigmoid(s)^gamma * softplus(s), and its derivative by s is
// weight * sigmoid(s)^gamma * (gamma * (1 - sigmoid(s)) * softplus(s) + sigmoid(s)).
#include "signature.h"
#include "tasks.h"
#include "vectors.h"

#define ANCHORS_PER_TASK 512   // about 40 us with 20 classes, measured

typedef struct {
  const float *logits;      // [anchors, classes]
  const int32_t *present;   // [anchors]: index of the class, as many as classes for background, negative to ignore
  const float *upstream;    // backward: [anchors]
  float *output;            // forward: [anchors]; backward: [anchors, classes]
  float alpha, gamma;
  int64_t anchors, classes;
} focal_context;

// ln(1 + e) for 0 < e <= 1 with a small relative error: the rounding of 1 + e is divided out again.
INLINE vec log_of_one_plus(vec e) {
  vec sum = e + 1.0f, grown = sum - 1.0f;
  return choose(grown == 0.0f, e, logarithm(sum) * (e / choose(grown == 0.0f, splat(1.0f), grown)));
}

// Sets *is_present and returns s for the logits of classes [first, first + LANES); lanes past the end hold 0.
INLINE vec signed_logits(const focal_context *c, int64_t anchor, int64_t first, ivec lanes, ivec *is_present) {
  vec x = load_part(c->logits + anchor * c->classes + first, c->classes - first);
  *is_present = lanes == c->present[anchor] - (int32_t)first;
  return choose(*is_present, -x, x);
}

INLINE vec softplus(vec s) { return larger(s, splat(0.0f)) + log_of_one_plus(exponential(-magnitude(s))); }

static void forward_task(void *argument, int64_t index) {
  const focal_context *c = argument;
  ivec lanes;
  for (int lane = 0; lane < LANES; ++lane) lanes[lane] = lane;
  int64_t first_anchor = index * ANCHORS_PER_TASK, last_anchor = at_most(c->anchors, first_anchor + ANCHORS_PER_TASK);
  for (int64_t anchor = first_anchor; anchor < last_anchor; ++anchor) {
    vec sum = {0};
    for (int64_t first = 0; first < c->classes && c->present[anchor] >= 0; first += LANES) {
      ivec is_present;
      vec s = signed_logits(c, anchor, first, lanes, &is_present), cross_entropy = softplus(s);
      vec weight = choose(is_present, splat(c->alpha), splat(1.0f - c->alpha));
      vec term = weight * exponential(c->gamma * (s - cross_entropy)) * cross_entropy;
      sum += choose(lanes < (int32_t)(c->classes - first), term, (vec){0});
    }
    c->output[anchor] = sum_lanes(sum);
  }
}

static void backward_task(void *argument, int64_t index) {
  const focal_context *c = argument;
  ivec lanes;
  for (int lane = 0; lane < LANES; ++lane) lanes[lane] = lane;
  int64_t first_anchor = index * ANCHORS_PER_TASK, last_anchor = at_most(c->anchors, first_anchor + ANCHORS_PER_TASK);
  for (int64_t anchor = first_anchor; anchor < last_anchor; ++anchor)
    for (int64_t first = 0; first < c->classes; first += LANES) {
      ivec is_present;
      vec s = signed_logits(c, anchor, first, lanes, &is_present), cross_entropy = softplus(s);
      vec weight = choose(is_present, splat(-c->alpha), splat(1.0f - c->alpha));   // ds / dx is in the sign
      vec log_miss = s - cross_entropy;
      vec slope = c->gamma * exponential(-cross_entropy) * cross_entropy + exponential(log_miss);
      vec gradient = weight * exponential(c->gamma * log_miss) * slope * c->upstream[anchor];
      if (c->present[anchor] < 0) gradient = (vec){0};
      store_part(c->output + anchor * c->classes + first, gradient, c->classes - first);
    }
}

static focal_context make_context(void **params, int64_t **shapes, int rank) {
  const float *settings = params[2];
  return (focal_context){.logits = params[0], .present = params[1], .alpha = settings[0], .gamma = settings[1],
                         .anchors = extent(shapes[1], 0, rank), .classes = shapes[0][rank]};
}

KERNEL(focal_loss_forward) {
  REQUIRE("logits[..., C], classes int32[...], settings[2] -> loss[...]");
  focal_context context = make_context(params, shapes, ranks[1]);
  context.output = params[3];
  run_tasks(forward_task, &context, ceil_divide(context.anchors, ANCHORS_PER_TASK));
  return 0;
}

KERNEL(focal_loss_backward) {
  REQUIRE("logits[..., C], classes int32[...], settings[2], dloss[...] -> dlogits[..., C]");
  focal_context context = make_context(params, shapes, ranks[1]);
  context.upstream = params[3];
  context.output = params[4];
  run_tasks(backward_task, &context, ceil_divide(context.anchors, ANCHORS_PER_TASK));
  return 0;
}
