#include "q8.h"

#include "ggml-cpu.h"

#include <algorithm>
#include <cstring>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,f16c,fma")))
#endif

namespace q8 {

static constexpr int ROWS  = 16;  // rows of weights side by side
static constexpr int BLOCK = 32;  // weights with a scale in common
static constexpr int FOUR  = 4;   // bytes that one lane of vpdpbusd multiplies
static constexpr int TILE  = 8;   // columns of activations at a time: as many sums and partial sums as registers hold

// Block of one row as in a GGUF file.
struct block {
    ggml_fp16_t d;
    int8_t q[BLOCK];
};

// The same block of sixteen rows: as large as they were, and 128 added to each weight, since
// vpdpbusd multiplies unsigned by signed bytes.
struct group {
    ggml_fp16_t d[ROWS];
    uint8_t q[BLOCK / FOUR][ROWS][FOUR];
};
static_assert(sizeof(group) == ROWS * sizeof(block), "groups take the place of rows");

// Block of a column of activations.
struct column {
    float d;
    int32_t excess;  // what the 128 of each weight adds to a product, negative
    int8_t q[BLOCK];
};

// ---- which weights ----------------------------------------------------------

static ggml_tensor * base(ggml_tensor * t) { return t && t->view_src ? t->view_src : t; }

static bool weight(const ggml_tensor * t) {
    return t && t->type == GGML_TYPE_Q8_0 && t->op == GGML_OP_NONE && t->buffer && ggml_backend_buffer_is_host(t->buffer) &&
           ggml_backend_buffer_get_usage(t->buffer) == GGML_BACKEND_BUFFER_USAGE_WEIGHTS;
}

static bool matrix(const ggml_tensor * t, ggml_type type) {
    return t && t->type == type && t->ne[2] == 1 && t->ne[3] == 1 && t->nb[0] == ggml_type_size(type);
}

static bool product(const ggml_tensor * op) { return op->op == GGML_OP_MUL_MAT && matrix(op->src[1], GGML_TYPE_F32); }

static bool lookup(const ggml_tensor * op) {
    return op->op == GGML_OP_GET_ROWS && matrix(op->src[1], GGML_TYPE_I32) && op->src[1]->ne[1] == 1;
}

// Whether op reads w in a way that compute knows.
static bool known(const ggml_tensor * op, const ggml_tensor * w) {
    if (op->src[0] != w || !matrix(op, GGML_TYPE_F32) || !(product(op) || lookup(op))) return false;
    return matrix(w, GGML_TYPE_Q8_0) && ggml_is_contiguous(w) && w->ne[1] % ROWS == 0;
}

void matrices::see(const ggml_tensor * op) {
    for (int i = 0; i < GGML_MAX_SRC; i++) {
        ggml_tensor * w = base(op->src[i]);
        if (!weight(w)) continue;
        auto use = seen.emplace(w, true).first;
        use->second = use->second && i == 0 && known(op, w);
    }
}

bool matrices::touches(const ggml_tensor * op) const {
    if (packed.empty()) return false;
    for (int i = 0; i < GGML_MAX_SRC; i++)
        if (packed.count(base(op->src[i]))) return true;
    return false;
}

void matrices::pack() {
    std::vector<block> rows;
    for (const auto & use : seen) {
        ggml_tensor * w = use.first;
        if (!use.second) continue;
        const size_t blocks = w->ne[0] / BLOCK;
        rows.resize(ROWS * blocks);
        for (int64_t r = 0; r < w->ne[1]; r += ROWS) {
            auto * to = (group *) ((char *) w->data + r * w->nb[1]);
            memcpy((void *) rows.data(), to, rows.size() * sizeof(block));
            for (size_t b = 0; b < blocks; b++) {
                for (int i = 0; i < ROWS; i++) {
                    const block & from = rows[i * blocks + b];
                    to[b].d[i] = from.d;
                    for (int j = 0; j < BLOCK; j++) to[b].q[j / FOUR][i][j % FOUR] = (uint8_t) (from.q[j] + 128);
                }
            }
        }
        packed.insert(w);
    }
    seen.clear();
}

// ---- ops ----------------------------------------------------------------------

static void get_rows(const ggml_compute_params * cp, ggml_tensor * op) {
    const ggml_tensor * w = op->src[0];
    const int64_t blocks  = w->ne[0] / BLOCK;
    for (int64_t i = cp->ith; i < op->src[1]->ne[0]; i += cp->nth) {
        const int32_t row = ((const int32_t *) op->src[1]->data)[i];
        GGML_ASSERT(row >= 0 && row < w->ne[1]);
        const auto * from = (const group *) ((const char *) w->data + row / ROWS * ROWS * w->nb[1]);
        float * to        = (float *) ((char *) op->data + i * op->nb[1]);
        for (int64_t b = 0; b < blocks; b++) {
            const float d = ggml_fp16_to_fp32(from[b].d[row % ROWS]);
            for (int j = 0; j < BLOCK; j++) *to++ = d * (from[b].q[j / FOUR][row % ROWS][j % FOUR] - 128);
        }
    }
}

size_t matrices::work_size(const ggml_tensor * op) const {
    return op->op == GGML_OP_MUL_MAT ? op->src[1]->ne[1] * (op->src[0]->ne[0] / BLOCK) * sizeof(column) : 0;
}

#if defined(VNNI)

bool supported() {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma");
}

// Rounds n activations to Q8_0, as ggml does.
static void round_column(const float * x, int64_t n, column * to) {
    static thread_local std::vector<block> blocks;
    blocks.resize(n / BLOCK);
    ggml_get_type_traits_cpu(GGML_TYPE_Q8_0)->from_float(x, blocks.data(), n);
    for (const block & from : blocks) {
        int sum = 0;
        for (int8_t q : from.q) sum += q;
        to->d      = ggml_fp16_to_fp32(from.d);
        to->excess = -128 * sum;
        memcpy(to->q, from.q, BLOCK);
        to++;
    }
}

// Sixteen rows times C columns; results of a column go to out + c * stride.
template <int C>
VNNI static void tile(const group * w, const column * x, int blocks, float * out, int64_t stride) {
    __m512 sum[C];
    for (int c = 0; c < C; c++) sum[c] = _mm512_setzero_ps();
    for (int b = 0; b < blocks; b++) {
        __m512i part[C];
        for (int c = 0; c < C; c++) part[c] = _mm512_set1_epi32(x[c * blocks + b].excess);
        for (int i = 0; i < BLOCK / FOUR; i++) {
            const __m512i a = _mm512_loadu_si512(w[b].q[i]);
            for (int c = 0; c < C; c++) {
                int32_t four;
                memcpy(&four, x[c * blocks + b].q + i * FOUR, FOUR);
                part[c] = _mm512_dpbusd_epi32(part[c], a, _mm512_set1_epi32(four));
            }
        }
        const __m512 d = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) w[b].d));
        for (int c = 0; c < C; c++)
            sum[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(part[c]), _mm512_mul_ps(d, _mm512_set1_ps(x[c * blocks + b].d)), sum[c]);
    }
    for (int c = 0; c < C; c++) _mm512_storeu_ps(out + c * stride, sum[c]);
}

static void multiply(const ggml_compute_params * cp, ggml_tensor * op) {
    using kernel = void (*)(const group *, const column *, int, float *, int64_t);
    static const kernel kernels[TILE] = {tile<1>, tile<2>, tile<3>, tile<4>, tile<5>, tile<6>, tile<7>, tile<8>};

    const ggml_tensor *w = op->src[0], *x = op->src[1];
    const int64_t blocks = w->ne[0] / BLOCK, n = x->ne[1], groups = w->ne[1] / ROWS;
    auto * columns = (column *) cp->wdata;
    for (int64_t c = cp->ith; c < n; c += cp->nth) round_column((const float *) ((const char *) x->data + c * x->nb[1]), w->ne[0], columns + c * blocks);
    ggml_barrier(cp->threadpool);

    const int64_t tiles = (n + TILE - 1) / TILE, stride = op->nb[1] / sizeof(float);
    for (int64_t g = groups * cp->ith / cp->nth; g < groups * (cp->ith + 1) / cp->nth; g++) {
        const auto * rows = (const group *) ((const char *) w->data + g * ROWS * w->nb[1]);
        for (int64_t t = 0; t < tiles; t++) {  // of about the same width: one column alone waits for its own sums
            const int64_t c = n * t / tiles, wide = n * (t + 1) / tiles - c;
            kernels[wide - 1](rows, columns + c * blocks, (int) blocks, (float *) op->data + c * stride + g * ROWS, stride);
        }
    }
}

#else

bool supported() { return false; }
static void multiply(const ggml_compute_params *, ggml_tensor *) {}

#endif

bool matrices::compute(ggml_compute_params * cp, ggml_tensor * op) const {
    if (!packed.count(op->src[0]) || !known(op, op->src[0]) || packed.count(base(op->src[1]))) return false;
    if (op->op == GGML_OP_GET_ROWS) get_rows(cp, op);
    else multiply(cp, op);
    return true;
}

}  // namespace q8
