// Greedy non-maximum suppression of boxes that come best first.
#include <string.h>

#include "signature.h"
#include "tasks.h"

typedef struct {
  const float *boxes;              // [rows, count, 4], xyxy
  const unsigned char *is_valid;   // [rows, count]
  float nms_threshold;
  int64_t count;
  unsigned char *is_kept;          // [rows, count]
} nms_context;

// A task is a row. The boxes are copied apart into coordinates, so that one box meets many in one instruction.
static void suppress_row(void *argument, int64_t index) {
  const nms_context *c = argument;
  int64_t count = c->count;
  const float *boxes = c->boxes + index * count * 4;
  unsigned char *restrict is_kept = c->is_kept + index * count;
  float *restrict left = scratch(5 * count + 1);
  float *restrict top = left + count, *restrict right = top + count, *restrict bottom = right + count;
  float *restrict area = bottom + count;
  memcpy(is_kept, c->is_valid + index * count, count);
  for (int64_t i = 0; i < count; ++i) {
    left[i] = boxes[i * 4], top[i] = boxes[i * 4 + 1], right[i] = boxes[i * 4 + 2], bottom[i] = boxes[i * 4 + 3];
    area[i] = (right[i] - left[i]) * (bottom[i] - top[i]);
  }
  float nms_threshold = c->nms_threshold;
  for (int64_t best = 0; best < count; ++best) {
    if (!is_kept[best]) continue;
    float x1 = left[best], y1 = top[best], x2 = right[best], y2 = bottom[best], own = area[best];
    for (int64_t i = best + 1; i < count; ++i) {
      float width = (x2 < right[i] ? x2 : right[i]) - (x1 > left[i] ? x1 : left[i]);
      float height = (y2 < bottom[i] ? y2 : bottom[i]) - (y1 > top[i] ? y1 : top[i]);
      float overlap = (width > 0 ? width : 0) * (height > 0 ? height : 0);
      is_kept[i] &= !(overlap / (own + area[i] - overlap) > nms_threshold);   // 0 / 0 keeps
    }
  }
}

KERNEL(nms) {
  REQUIRE("boxes[N, K, 4], is_valid bool[N, K], nms_threshold[1] -> is_kept bool[N, K]");
  nms_context c = {params[0], params[1], *(const float *)params[2], shapes[0][1], params[3]};
  run_tasks(suppress_row, &c, shapes[0][0]);
  return 0;
}
