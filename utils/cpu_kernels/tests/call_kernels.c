// Calls kernels of a shared library with the arguments of a file: call_kernels LIBRARY CALLS RESULTS
//
// CALLS, in the byte order of the machine: for each call the name of the kernel as char[64], int64 count of arguments,
// and for each of them its type as char[16], int64 rank, int64 bytes, int64[rank] shape and its values. RESULTS: for
// each call int64 of what the kernel returned, then the values of all its arguments.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_ARGUMENTS 64
#define MOST_AXES 8

typedef int kernel(int, void **, int *, int64_t **, const char **, void *, void *);

static void die(const char *what) {
  fprintf(stderr, "call_kernels: %s\n", what);
  exit(1);
}

static void read_all(void *target, size_t bytes, FILE *file) {
  if (fread(target, 1, bytes, file) != bytes) die("the file of calls is cut");
}

static void call_one(void *library, const char *name, FILE *calls, FILE *results) {
  static char types[MOST_ARGUMENTS][16];
  static int64_t shapes[MOST_ARGUMENTS][MOST_AXES];
  void *params[MOST_ARGUMENTS];
  int ranks[MOST_ARGUMENTS];
  int64_t *shape_of[MOST_ARGUMENTS], bytes[MOST_ARGUMENTS], count;
  const char *type_of[MOST_ARGUMENTS];
  read_all(&count, sizeof count, calls);
  if (count > MOST_ARGUMENTS) die("too many arguments");
  for (int i = 0; i < count; ++i) {
    int64_t head[2];
    read_all(types[i], sizeof types[i], calls);
    read_all(head, sizeof head, calls);
    if (head[0] > MOST_AXES) die("too many axes");
    ranks[i] = (int)head[0], bytes[i] = head[1], shape_of[i] = shapes[i], type_of[i] = types[i];
    read_all(shapes[i], head[0] * sizeof(int64_t), calls);
    if (!(params[i] = malloc(bytes[i] + 1))) die("no memory");
    read_all(params[i], bytes[i], calls);
  }
  kernel *function = (kernel *)dlsym(library, name);
  if (!function) die(dlerror());
  int64_t code = function((int)count, params, ranks, shape_of, type_of, NULL, NULL);
  fwrite(&code, sizeof code, 1, results);
  for (int i = 0; i < count; ++i) {
    fwrite(params[i], 1, bytes[i], results);
    free(params[i]);
  }
}

int main(int argc, char **argv) {
  if (argc != 4) die("wanted LIBRARY CALLS RESULTS");
  void *library = dlopen(argv[1], RTLD_NOW);
  if (!library) die(dlerror());
  FILE *calls = fopen(argv[2], "rb"), *results = fopen(argv[3], "wb");
  if (!calls || !results) die("a file cannot be opened");
  char name[64];
  while (fread(name, 1, sizeof name, calls) == sizeof name) call_one(library, name, calls, results);
  return fclose(results) != 0;
}
