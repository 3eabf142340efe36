// Vectors of floats as wide as the machine's registers, through the compiler's vector extension.
#ifndef CPU_KERNELS_VECTORS_H
#define CPU_KERNELS_VECTORS_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef int32_t ivec __attribute__((vector_size(LANES * 4)));

INLINE vec load(const float *source) {
  vec value;
  memcpy(&value, source, sizeof value);
  return value;
}

INLINE void store(float *target, vec value) { memcpy(target, &value, sizeof value); }

INLINE vec splat(float value) { return value - (vec){0}; }

// Loads `count` floats (at most LANES) and zeros after them; never reads past them.
INLINE vec load_part(const float *source, int64_t count) {
  if (count >= LANES) return load(source);
  vec value = {0};
  for (int64_t i = 0; i < count; ++i) value[i] = source[i];
  return value;
}

INLINE void store_part(float *target, vec value, int64_t count) {
  if (count >= LANES) {
    store(target, value);
    return;
  }
  for (int64_t i = 0; i < count; ++i) target[i] = value[i];
}

INLINE vec choose(ivec mask, vec yes, vec no) { return (vec)(((ivec)yes & mask) | ((ivec)no & ~mask)); }

INLINE vec larger(vec a, vec b) { return choose(a > b, a, b); }

INLINE vec magnitude(vec a) { return (vec)((ivec)a & 0x7fffffff); }

// Sum over the lanes, halves first: always in the same order.
INLINE float sum_lanes(vec value) {
  float lanes[LANES];
  memcpy(lanes, &value, sizeof value);
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  return lanes[0];
}

INLINE float largest_lane(vec value) {
  float lanes[LANES];
  memcpy(lanes, &value, sizeof value);
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lanes[i] = lanes[i] > lanes[i + width] ? lanes[i] : lanes[i + width];
  return lanes[0];
}

// e^x within 2 units in the last place; 0 below -87.3, finite above 88; nan stays nan.
INLINE vec exponential(vec x) {
  const vec magic = splat(12582912.0f);   // 1.5 * 2^23: adding it rounds to an integer in the low bits
  vec clamped = choose(x > 88.0f, splat(88.0f), choose(x < -87.3f, splat(-87.3f), x));
  vec shifted = clamped * 1.44269504088896341f + magic;
  vec n = shifted - magic;
  vec r = clamped - n * 0.693359375f;    // ln 2 in two parts, so that n * ln 2 loses no bits
  r = r - n * -2.12194440e-4f;
  // Taylor series: |r| <= ln 2 / 2
  vec p = r * (1.0f / 5040) + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * (r * r) + r + 1.0f;
  ivec power = ((ivec)shifted - (ivec)magic + 127) << 23;
  return choose(x < -87.3f, splat(0.0f), p * (vec)power);
}

// ln x of positive normal numbers within 2 units in the last place: x = m * 2^n with m near 1, and
// ln m = 2 artanh(s) with s = (m - 1) / (m + 1), |s| < 0.172. Infinity and nan stay what they are.
INLINE vec logarithm(vec x) {
  ivec bits = (ivec)x - 0x3f3504f3;   // the square root of 1/2: m lies in [sqrt(1/2), sqrt(2))
  ivec n = bits >> 23;
  vec m = (vec)((bits & 0x007fffff) + 0x3f3504f3);
  vec s = (m - 1.0f) / (m + 1.0f), square = s * s;
  vec series = square * (1.0f / 9) + 1.0f / 7;
  series = series * square + 1.0f / 5;
  series = series * square + 1.0f / 3;
  series = series * square * s + s;
  vec result = __builtin_convertvector(n, vec) * 0.693147180559945309f + series * 2.0f;
  return choose(x < splat(__builtin_inff()), result, x);
}

// Share Phi(x) of the standard normal distribution below x, relative error 5e-7; sets *density to its derivative.
// Phi(-a) = exp(-a^2/2) * R(a), and R is smooth: a polynomial of degree 8 in t = 1 / (1 + 0.3 a), fitted for the least
// largest relative error on 0 <= a <= 14.
INLINE vec normal_share(vec x, vec *density) {
  vec a = magnitude(x);
  vec bell = exponential(a * a * -0.5f);
  vec t = 1.0f / (a * 0.3f + 1.0f);
  vec r = t * 3.837828956e-02f - 1.691661115e-01f;
  r = r * t + 2.286600809e-01f;
  r = r * t - 7.650647742e-02f;
  r = r * t + 1.425355244e-01f;
  r = r * t + 9.468352295e-02f;
  r = r * t + 1.219203422e-01f;
  r = r * t + 1.194876889e-01f;
  r = r * t + 7.168876005e-06f;
  vec tail = bell * r;
  *density = bell * 0.398942280401432678f;
  return choose(x > 0.0f, 1.0f - tail, tail);
}

INLINE vec gelu(vec x) {
  vec density;
  return x * normal_share(x, &density);
}

INLINE vec gelu_slope(vec x) {
  vec density, share = normal_share(x, &density);
  return share + x * density;
}

#endif
