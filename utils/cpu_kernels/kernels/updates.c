// The update of one parameter by SGD or by AdamW, and of one average of a parameter, in place.
#include <math.h>

#include "signature.h"
#include "tasks.h"

typedef struct {
  float factor, is_finite, learning_rate, momentum;   // the same for every parameter
} sgd_settings;

typedef struct {
  float *parameter, *moment;
  const float *gradient;
  float factor, decay, learning_rate, momentum;
  int64_t count;
} sgd_context;

static void sgd_task(void *argument, int64_t index) {
  const sgd_context s = *(const sgd_context *)argument;
  int64_t from = index * CHUNK, count = at_most(CHUNK, s.count - from);
  float *restrict parameter = s.parameter + from, *restrict moment = s.moment + from;
  const float *restrict gradient = s.gradient + from;
  for (int64_t i = 0; i < count; ++i) {
    moment[i] = moment[i] * s.momentum + (gradient[i] * s.factor + parameter[i] * s.decay);
    parameter[i] -= s.learning_rate * moment[i];
  }
}

// Changes parameter and moment; their own settings are the scale of the learning rate and the weight decay.
KERNEL(sgd_update) {
  REQUIRE("parameter[...], moment[...], gradient[...], settings[4], own_settings[2] -> nothing[1]");
  const sgd_settings *s = params[3];
  const float *own = params[4];
  *(float *)params[5] = 0;
  if (s->is_finite == 0) return 0;
  sgd_context c = {.parameter = params[0], .moment = params[1], .gradient = params[2], .factor = s->factor,
                   .decay = own[1], .learning_rate = s->learning_rate * own[0], .momentum = s->momentum,
                   .count = extent(shapes[0], 0, ranks[0])};
  run_tasks(sgd_task, &c, ceil_divide(c.count, CHUNK));
  return 0;
}

typedef struct {
  float factor, is_finite, learning_rate, step_size, epsilon, beta1, beta2;   // the same for every parameter
} adamw_settings;

typedef struct {
  float *parameter, *first, *second;
  const float *gradient;
  float factor, decay, step_size, epsilon, share1, share2;
  int64_t count;
} adamw_context;

static void adamw_task(void *argument, int64_t index) {
  const adamw_context s = *(const adamw_context *)argument;
  int64_t from = index * CHUNK, count = at_most(CHUNK, s.count - from);
  float *restrict parameter = s.parameter + from, *restrict first = s.first + from, *restrict second = s.second + from;
  const float *restrict gradients = s.gradient + from;
  for (int64_t i = 0; i < count; ++i) {
    float gradient = gradients[i] * s.factor;
    first[i] += (gradient - first[i]) * s.share1;
    second[i] += (gradient * gradient - second[i]) * s.share2;
    parameter[i] = parameter[i] * s.decay - s.step_size * first[i] / (sqrtf(second[i]) + s.epsilon);
  }
}

// Changes parameter, first and second; their own settings are those of sgd_update.
KERNEL(adamw_update) {
  REQUIRE("parameter[...], first[...], second[...], gradient[...], settings[7], own_settings[2] -> nothing[1]");
  const adamw_settings *s = params[4];
  const float *own = params[5];
  *(float *)params[6] = 0;
  if (s->is_finite == 0) return 0;
  adamw_context c = {.parameter = params[0], .first = params[1], .second = params[2], .gradient = params[3],
                     .factor = s->factor, .decay = 1.0f - s->learning_rate * (own[0] * own[1]),
                     .step_size = s->step_size * own[0], .epsilon = s->epsilon, .share1 = 1.0f - s->beta1,
                     .share2 = 1.0f - s->beta2, .count = extent(shapes[0], 0, ranks[0])};
  run_tasks(adamw_task, &c, ceil_divide(c.count, CHUNK));
  return 0;
}

typedef struct {
  float *average;
  const float *value;
  float decay;
  int64_t count;
} average_context;

static void average_task(void *argument, int64_t index) {
  const average_context *c = argument;
  int64_t from = index * CHUNK, count = at_most(CHUNK, c->count - from);
  float *restrict average = c->average + from, decay = c->decay;
  const float *restrict value = c->value + from;
  for (int64_t i = 0; i < count; ++i) average[i] = average[i] * decay + value[i] * (1.0f - decay);
}

// Changes the average.
KERNEL(average_update) {
  REQUIRE("average[...], value[...], decay[] -> nothing[1]");
  average_context c = {params[0], params[1], *(const float *)params[2], extent(shapes[0], 0, ranks[0])};
  *(float *)params[3] = 0;
  run_tasks(average_task, &c, ceil_divide(c.count, CHUNK));
  return 0;
}
