// Eight floats at a time, by the vector extension of GCC and Clang: AVX2 with
// -march=x86-64-v3, two NEON registers on arm64, plain SSE code without flags.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__F16C__)
#include <immintrin.h>
#else
#include "ggml.h"
#endif

namespace simd {

typedef float   f8 __attribute__((vector_size(32)));
typedef int32_t i8 __attribute__((vector_size(32)));
typedef float   f8_memory __attribute__((vector_size(32), aligned(4), may_alias));  // eight floats anywhere

typedef uint16_t half;  // IEEE binary16, as in the KV store

static inline f8 splat(float x) { return f8{x, x, x, x, x, x, x, x}; }
static inline f8 load(const float * p) { return *(const f8_memory *) p; }
static inline void store(float * p, f8 v) { *(f8_memory *) p = v; }

static inline f8 load(const half * p) {
#if defined(__F16C__)
    return (f8) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) p));
#elif defined(__aarch64__)
    typedef __fp16 h8 __attribute__((vector_size(16)));
    h8 h;
    memcpy(&h, p, sizeof h);
    return __builtin_convertvector(h, f8);
#else
    f8 v;
    for (int i = 0; i < 8; i++) v[i] = ggml_fp16_to_fp32(p[i]);
    return v;
#endif
}

static inline f8 max(f8 a, f8 b) {
    i8 m = a > b;
    return (f8) (((i8) a & m) | ((i8) b & ~m));
}

static inline float hmax(f8 v) {
    float m = v[0];
    for (int i = 1; i < 8; i++) m = v[i] > m ? v[i] : m;
    return m;
}

static inline float hsum(f8 v) {
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

// exp for x <= 88, 0 below -87.3; relative error below 2e-7 (Cephes expf).
static inline f8 exp(f8 x) {
    const f8 floor_ = splat(-87.3365f);
    i8 dead = x < floor_;
    x = max(x, floor_);
    const f8 magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    f8 n = x * 1.44269504088896341f + magic;
    i8 e = ((i8) n - (i8) magic) << 23;
    n -= magic;
    f8 r = x - n * 0.693359375f;
    r -= n * -2.12194440e-4f;
    f8 y = splat(1.9875691500e-4f);
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    i8 bits = (i8) y + e;
    return (f8) (bits & ~dead);
}

}  // namespace simd
