// Exact GELU, x * Phi(x), and its gradient.
#include "signature.h"
#include "tasks.h"
#include "vectors.h"

typedef struct {
  const float *input, *upstream;   // upstream: gradient of the output; null in the forward pass
  float *output;
  int64_t count;
} gelu_context;

static void gelu_task(void *argument, int64_t index) {
  const gelu_context *c = argument;
  int64_t last = at_most(c->count, (index + 1) * CHUNK);
  for (int64_t i = index * CHUNK; i < last; i += LANES) {
    vec x = load_part(c->input + i, last - i);
    vec y = c->upstream ? gelu_slope(x) * load_part(c->upstream + i, last - i) : gelu(x);
    store_part(c->output + i, y, last - i);
  }
}

KERNEL(gelu_forward) {
  REQUIRE("x[...] -> y[...]");
  gelu_context c = {params[0], NULL, params[1], extent(shapes[0], 0, ranks[0])};
  run_tasks(gelu_task, &c, ceil_divide(c.count, CHUNK));
  return 0;
}

KERNEL(gelu_backward) {
  REQUIRE("x[...], dy[...] -> dx[...]");
  gelu_context c = {params[0], params[1], params[2], extent(shapes[0], 0, ranks[0])};
  run_tasks(gelu_task, &c, ceil_divide(c.count, CHUNK));
  return 0;
}
