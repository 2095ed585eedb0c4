#include "guard.h"
#include "llama.h"

#include <cstring>

int bridge_quantize(const char * from, const char * to, const char * type, bridge_error * error) {
    static const struct { const char * name; llama_ftype type; } types[] = {
        {"F32", LLAMA_FTYPE_ALL_F32},          {"F16", LLAMA_FTYPE_MOSTLY_F16},   {"Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},
        {"Q4_0", LLAMA_FTYPE_MOSTLY_Q4_0},     {"Q4_1", LLAMA_FTYPE_MOSTLY_Q4_1}, {"Q4_K_M", LLAMA_FTYPE_MOSTLY_Q4_K_M},
    };
    return bridge::guarded(error, BRIDGE_LOAD, [&](bridge::guard & g) {
        auto params = llama_model_quantize_default_params();
        params.allow_requantize = true;
        params.nthread          = 1;  // what fails on a thread of llama.cpp's ends the process
        for (const auto & t : types) {
            if (std::strcmp(type, t.name) != 0) continue;
            params.ftype = t.type;
            if (llama_model_quantize(from, to, &params) != 0) throw bridge::failure(BRIDGE_LOAD, g.log);
            return;
        }
        throw bridge::failure(BRIDGE_LOAD, std::string("unknown weight type ") + type +
                                               "; known: F32, F16, Q8_0, Q4_0, Q4_1, Q4_K_M");
    });
}

const char * bridge_build(void) {
    return ""
#if defined(__AVX512F__)
        "avx512,"
#endif
#if defined(__AVX2__)
        "avx2,"
#endif
#if defined(__FMA__)
        "fma,"
#endif
#if defined(__F16C__)
        "f16c,"
#endif
#if defined(__ARM_NEON)
        "neon,"
#endif
#if defined(__ARM_FEATURE_DOTPROD)
        "dotprod,"
#endif
#if defined(GGML_USE_CPU_REPACK)
        "repack,"
#endif
#if defined(__OPTIMIZE__)
        "optimized"
#else
        "unoptimized"
#endif
        ;
}
