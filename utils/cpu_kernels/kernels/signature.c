// Reads the signatures of kernels; signature.h says what they look like.
#include "signature.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  int64_t sizes[128];       // of each letter; -1: not met yet
  const int64_t *leading;   // sizes of the axes of "..."
  int num_leading;          // -1: not met yet
} bindings;

static int count_of(const char *text, char wanted) {
  int count = 0;
  for (; *text; ++text) count += *text == wanted;
  return count;
}

static int is_axis(char c) { return isalnum((unsigned char)c) || c == '?'; }

static int fits_type(const char *argument, const char *axes, const char *type) {
  const char *space = memchr(argument, ' ', axes - argument), *wanted = space ? space + 1 : "float32[";
  size_t length = strlen(type);
  return strncmp(wanted, type, length) == 0 && wanted[length] == '[';
}

static int fits_leading(bindings *known, int num_leading, const int64_t *shape) {
  if (known->num_leading >= 0)
    return num_leading == known->num_leading && !memcmp(shape, known->leading, num_leading * sizeof *shape);
  known->num_leading = num_leading, known->leading = shape;
  return 1;
}

static int fits_size(bindings *known, char axis, int64_t size) {
  if (axis == '?') return 1;
  if (isdigit((unsigned char)axis)) return size == axis - '0';
  int64_t *own = &known->sizes[(int)axis];
  if (*own < 0) *own = size;
  return *own == size && (size > 0 || axis == 'N');
}

// `argument` is where the signature begins to speak of it.
static int fits_argument(bindings *known, const char *argument, int rank, const int64_t *shape, const char *type) {
  const char *axes = strchr(argument, '['), *end = strchr(axes, ']');
  int num_axes = 0, has_leading = axes[1] == '.';
  for (const char *c = axes; c < end; ++c) num_axes += is_axis(*c);
  if (!fits_type(argument, axes, type) || (has_leading ? rank < num_axes : rank != num_axes)) return 0;
  if (has_leading && !fits_leading(known, rank - num_axes, shape)) return 0;
  shape += rank - num_axes;
  for (const char *c = axes; c < end; ++c)
    if (is_axis(*c) && !fits_size(known, *c, *shape++)) return 0;
  return 1;
}

int refuse(const char *kernel, const char *what, int number, const char *wanted) {
  fprintf(stderr, "CPU kernel %s refuses %s %d, it takes %s\n", kernel, what, number, wanted);
  return WRONG_ARGUMENTS;
}

int fits_signature(const char *kernel, const char *signature, int num_params, const int *ranks,
                   int64_t *const *shapes, const char *const *types) {
  bindings known = {.num_leading = -1};
  memset(known.sizes, -1, sizeof known.sizes);
  int repeated = count_of(signature, '+'), single = count_of(signature, '[') - repeated, param = 0;
  int times = repeated ? (num_params - single) / repeated : 1;
  if (times < 1 || num_params != single + times * repeated)
    return refuse(kernel, "number of arguments", num_params, signature), 0;
  for (const char *argument = signature; *argument;) {
    const char *end = strchr(argument, ']') + 1;
    for (int i = 0; i < (*end == '+' ? times : 1); ++i, ++param)
      if (!fits_argument(&known, argument, ranks[param], shapes[param], types[param]))
        return refuse(kernel, "argument", param + 1, signature), 0;
    argument = end + strspn(end, "+, ->");
  }
  return 1;
}
