// The C face of the engine: what cgo calls. Functions return 0 or an error code of
// bridge_status; the text of an error stands in the buffer that was given.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bridge_model bridge_model;

enum bridge_status {
    BRIDGE_OK = 0,
    BRIDGE_LOAD,         // llama.cpp refused the file
    BRIDGE_ADAPTER,      // or the adapter
    BRIDGE_CANCELED,     // loading was given up
    BRIDGE_UNSUPPORTED,  // the model needs what the paged kernel cannot do
    BRIDGE_MEMORY,       // not enough memory
    BRIDGE_COMPUTE,      // a forward failed
};

typedef struct {
    const char * path;
    const char * adapter;    // a LoRA GGUF, or NULL
    const int32_t * cancel;  // loading stops when this is not 0
    int32_t threads;       // of a forward
    int32_t most_threads;  // that bridge_threads may ask for
    int32_t batch;     // most tokens a forward
    int32_t segments;  // most sequences a forward, at most 256
    bool plain;        // leave all matrix products to ggml
} bridge_options;

// One sequence of a forward: `refs` references in the flat arrays, `fresh` new tokens.
typedef struct {
    int32_t refs;
    int32_t fresh;
    int32_t output;  // 1: keep the logits of the last token
} bridge_segment;

typedef struct {
    int32_t vocabulary, context, bos, eos, eot, layers;
    int64_t parameters;
    bool add_bos;
    float check;  // at load: how far our logits are from those of ggml's kernels, over their spread
    int32_t rearranged;  // matrices multiplied by q8.cpp
} bridge_info;

// A model is opened without cells, which may depend on what they take, and runs once it
// has a store of them.
int  bridge_open(const bridge_options * o, bridge_model ** out, char * err, size_t size);
int  bridge_store(bridge_model * m, int32_t blocks, char * err, size_t size);
int64_t bridge_block_bytes(const bridge_model * m);
void bridge_close(bridge_model * m);
void bridge_describe(const bridge_model * m, bridge_info * out);
int  bridge_meta(const bridge_model * m, const char * key, char * buf, size_t size);  // length or -1
const char * bridge_template(const bridge_model * m);

int  bridge_tokenize(const bridge_model * m, const char * text, int32_t len, bool control, int32_t * out, int32_t max);
int  bridge_piece(const bridge_model * m, int32_t id, char * buf, int32_t size);
bool bridge_ends(const bridge_model * m, int32_t id);

// Runs the new tokens of n segments; path is the concatenation of their (block, n) pairs.
int bridge_forward(bridge_model * m, const bridge_segment * segs, int32_t n, const int32_t * path,
                   const int32_t * tokens, char * err, size_t size);
const float * bridge_logits(const bridge_model * m, int32_t i);
void bridge_threads(bridge_model * m, int32_t threads);

typedef struct {
    double log_z;     // ln sum exp(logit)
    double log_zt;    // ln sum exp(logit / temperature); log_z at temperature 1 or 0
    double entropy;   // nats, raw distribution
    float best, second;
    int32_t best_id;
    bool finite;
} bridge_summary;

void    bridge_summarize(const float * logits, int32_t n, float temperature, bridge_summary * out);
int32_t bridge_draw(const float * logits, int32_t n, float temperature, const bridge_summary * s, double u);

int bridge_quantize(const char * in, const char * out, const char * type, char * err, size_t size);
const char * bridge_build(void);  // what the kernels were compiled for, "avx2,f16c,fma,repack"

#ifdef __cplusplus
}
#endif
