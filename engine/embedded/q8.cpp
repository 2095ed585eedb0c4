#include "q8.h"

#include "ggml-cpu.h"

#include <algorithm>
#include <cstring>
#include <vector>

#if defined(__x86_64__) && (defined(__clang__) ? __clang_major__ >= 7 : __GNUC__ >= 8)
#include <immintrin.h>
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,fma")))
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

// Sixteen rows: the weights of all their blocks, 128 added to each, since vpdpbusd multiplies
// unsigned by signed bytes, and behind them the scales. They take the place that the rows had.
struct group {
    using quants = uint8_t[BLOCK / FOUR][ROWS][FOUR];
    using scales = ggml_fp16_t[ROWS];
    quants * q;
    scales * d;

    group(const ggml_tensor * w, int64_t first) {
        q = (quants *) ((char *) w->data + first * w->nb[1]);
        d = (scales *) (q + w->ne[0] / BLOCK);
    }
};
static_assert(sizeof(group::quants) + sizeof(group::scales) == ROWS * sizeof(block), "a group is as large as its rows");

// Block of a column of activations.
struct column {
    float d;
    int32_t excess;  // what the 128 of each weight adds to a product, negative
    int8_t q[BLOCK];
};

// ---- which weights ----------------------------------------------------------

static ggml_tensor * base(ggml_tensor * t) { return t && t->view_src ? t->view_src : t; }

static bool weight(const ggml_tensor * t) {
    return t && t->type == GGML_TYPE_Q8_0 && t->op == GGML_OP_NONE && t->buffer &&
           ggml_backend_buffer_is_host(t->buffer) &&
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

void matrices::observe(const ggml_tensor * op) {
    for (int i = 0; i < GGML_MAX_SRC; i++) {
        ggml_tensor * w = base(op->src[i]);
        if (!weight(w)) continue;
        auto use = seen.emplace(w, true).first;
        use->second = use->second && i == 0 && known(op, w);
    }
}

bool matrices::read_by(const ggml_tensor * op) const {
    for (int i = 0; i < GGML_MAX_SRC; i++)
        if (op->src[i] && op->src[i]->type == GGML_TYPE_Q8_0 && packed.count(base(op->src[i]))) return true;
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
            const group to(w, r);
            memcpy((void *) rows.data(), to.q, rows.size() * sizeof(block));
            for (size_t b = 0; b < blocks; b++) {
                for (int i = 0; i < ROWS; i++) {
                    const block & from = rows[i * blocks + b];
                    to.d[b][i] = from.d;
                    for (int j = 0; j < BLOCK; j++) to.q[b][j / FOUR][i][j % FOUR] = (uint8_t) (from.q[j] + 128);
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
        const group from(w, row / ROWS * ROWS);
        float * to = (float *) ((char *) op->data + i * op->nb[1]);
        for (int64_t b = 0; b < blocks; b++) {
            const float d = ggml_fp16_to_fp32(from.d[b][row % ROWS]);
            for (int j = 0; j < BLOCK; j++) *to++ = d * (from.q[b][j / FOUR][row % ROWS][j % FOUR] - 128);
        }
    }
}

size_t matrices::work_size(const ggml_tensor * op) const {
    return op->op == GGML_OP_MUL_MAT ? op->src[1]->ne[1] * (op->src[0]->ne[0] / BLOCK) * sizeof(column) : 0;
}

#if defined(VNNI)

bool supported() {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma");
}

// Rounds n activations to Q8_0, as ggml does.
static void round_column(const float * x, int64_t n, column * to) {
    const auto round = ggml_get_type_traits_cpu(GGML_TYPE_Q8_0)->from_float;
    block some[16];
    while (n > 0) {
        const int64_t now = std::min<int64_t>(n, sizeof some / sizeof *some * BLOCK);
        round(x, some, now);
        for (int b = 0; b < now / BLOCK; b++, to++) {
            int sum = 0;
            for (int8_t q : some[b].q) sum += q;
            to->d      = ggml_fp16_to_fp32(some[b].d);
            to->excess = -128 * sum;
            memcpy(to->q, some[b].q, BLOCK);
        }
        x += now;
        n -= now;
    }
}

// Sixteen rows times C columns; results of a column go to out + c * stride.
template <int C>
VNNI static void tile(const group & w, const column * x, int blocks, float * out, int64_t stride) {
    __m512 sum[C];
    for (int c = 0; c < C; c++) sum[c] = _mm512_setzero_ps();
    for (int b = 0; b < blocks; b++) {
        __m512i part[C];
        for (int c = 0; c < C; c++) part[c] = _mm512_set1_epi32(x[c * blocks + b].excess);
        for (int i = 0; i < BLOCK / FOUR; i++) {
            const __m512i a = _mm512_loadu_si512(w.q[b][i]);
            for (int c = 0; c < C; c++) {
                int32_t four;
                memcpy(&four, x[c * blocks + b].q + i * FOUR, FOUR);
                part[c] = _mm512_dpbusd_epi32(part[c], a, _mm512_set1_epi32(four));
            }
        }
        const __m512 d = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) w.d[b]));
        for (int c = 0; c < C; c++) {
            const __m512 scale = _mm512_mul_ps(d, _mm512_set1_ps(x[c * blocks + b].d));
            sum[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(part[c]), scale, sum[c]);
        }
    }
    for (int c = 0; c < C; c++) _mm512_storeu_ps(out + c * stride, sum[c]);
}

static void multiply(const ggml_compute_params * cp, ggml_tensor * op) {
    using kernel = void (*)(const group &, const column *, int, float *, int64_t);
    static const kernel kernels[TILE] = {tile<1>, tile<2>, tile<3>, tile<4>, tile<5>, tile<6>, tile<7>, tile<8>};

    const ggml_tensor *w = op->src[0], *x = op->src[1];
    const int64_t blocks = w->ne[0] / BLOCK, n = x->ne[1], groups = w->ne[1] / ROWS;
    auto * columns = (column *) cp->wdata;
    for (int64_t c = cp->ith; c < n; c += cp->nth) {
        round_column((const float *) ((const char *) x->data + c * x->nb[1]), w->ne[0], columns + c * blocks);
    }
    ggml_barrier(cp->threadpool);

    const int64_t tiles = (n + TILE - 1) / TILE, stride = op->nb[1] / sizeof(float);
    for (int64_t g = groups * cp->ith / cp->nth; g < groups * (cp->ith + 1) / cp->nth; g++) {
        const group rows(w, g * ROWS);
        for (int64_t t = 0; t < tiles; t++) {  // of about the same width: one column alone waits for its own sums
            const int64_t c = n * t / tiles, wide = n * (t + 1) / tiles - c;
            float * out = (float *) op->data + c * stride + g * ROWS;
            kernels[wide - 1](rows, columns + c * blocks, (int) blocks, out, stride);
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
