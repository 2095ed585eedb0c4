#include "bridge.h"
#include "simd.h"

#include <cmath>

using simd::f8;

// A distribution over a vocabulary is read once for its maxima and once per temperature
// for its sums. Sums of exponentials are kept in blocks of 1024 as doubles: eight float
// lanes lose no more than 1e-7 over 128 additions.
namespace {

constexpr int RUN = 1024;

struct sums {
    double z = 0, zx = 0;  // sum of e^y and of y*e^y for y = (x - top) * scale
};

sums run(const float * x, int n, float top, float scale) {
    f8 z = simd::splat(0), zx = simd::splat(0);
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        f8 y = (simd::load(x + i) - top) * scale, e = simd::exp(y);
        z += e;
        zx += e * simd::max(y, simd::splat(-88));  // -inf * 0 is not a number
    }
    sums s;
    s.z = simd::hsum(z);
    s.zx = simd::hsum(zx);
    for (; i < n; i++) {
        double y = (x[i] - top) * scale, e = std::exp(y);
        s.z += e;
        if (e > 0) s.zx += e * y;
    }
    return s;
}

sums total(const float * x, int n, float top, float scale) {
    sums t;
    for (int i = 0; i < n; i += RUN) {
        sums s = run(x + i, n - i < RUN ? n - i : RUN, top, scale);
        t.z += s.z;
        t.zx += s.zx;
    }
    return t;
}

}  // namespace

void bridge_summarize(const float * x, int32_t n, float temperature, bridge_summary * out) {
    float best = -INFINITY, second = -INFINITY;
    int id = 0;
    bool bad = false;
    for (int i = 0; i < n; i++) {
        float v = x[i];
        bad |= !(v < INFINITY);  // catches NaN and +inf; -inf is a masked token
        if (v > second) {
            if (v > best) { second = best; best = v; id = i; }
            else second = v;
        }
    }
    out->finite  = !bad && best > -INFINITY;
    out->best    = best;
    out->second  = second;
    out->best_id = id;
    out->log_z = out->log_zt = out->entropy = 0;
    if (!out->finite) return;
    sums s       = total(x, n, best, 1);
    out->log_z   = best + std::log(s.z);
    out->entropy = std::log(s.z) - s.zx / s.z;
    if (out->entropy < 0) out->entropy = 0;
    out->log_zt  = out->log_z;
    if (temperature != 1 && temperature > 0) {
        float k     = 1 / temperature;
        out->log_zt = (double) best * k + std::log(total(x, n, best, k).z);
    }
}

int32_t bridge_draw(const float * x, int32_t n, float temperature, const bridge_summary * s, double u) {
    const float k = 1 / temperature;
    double rest = u * std::exp(s->log_zt - (double) s->best * k);
    int32_t last = s->best_id;
    for (int i = 0; i < n; i += RUN) {
        int m = n - i < RUN ? n - i : RUN;
        double z = run(x + i, m, s->best, k).z;
        if (rest >= z) { rest -= z; continue; }
        for (int j = i; j < i + m; j++) {
            double e = std::exp((double) (x[j] - s->best) * k);
            if (e <= 0) continue;
            last = j;
            if ((rest -= e) < 0) return j;
        }
    }
    return last;  // rounding left a crumb beyond the last token
}
