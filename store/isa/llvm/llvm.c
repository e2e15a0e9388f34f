/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/isa/llvm/llvm.h"

#include <dlfcn.h>
#include <glib.h>
#include <string.h>

/* What LLVM calls the code, and the newest of its machines that adds instructions without giving old ones another
 * meaning. Its decoder for m68k is no good yet: it takes some instructions for others, and crashes over some bytes. */
static const struct code {
    const char *name;
    const char *triple;
    const char *cpu;
    const char *features;
} codes[] = {
    {"aarch64", "aarch64", "", TCGRR_LLVM_ALL_FEATURES},
    {"arm", "armv8.6a", "", "+fp-armv8,+neon,+crypto,+fullfp16"},
    {"thumb", "thumbv8.6a", "", "+fp-armv8,+neon,+crypto,+fullfp16"},
    {"thumb_m", "thumbv8.1m.main", "", "+fp-armv8d16,+mve.fp"},
    {"avr", "avr", "avr6", ""},
    {"i386", "i386", "", ""},
    {"loongarch64", "loongarch64", "", "+f,+d,+lsx,+lasx"},
    {"mips", "mips", "mips32r2", ""},
    {"mipsel", "mipsel", "mips32r2", ""},
    {"mips64", "mips64", "mips64r2", ""},
    {"mips64el", "mips64el", "mips64r2", ""},
    {"ppc", "powerpc", "pwr7", ""},
    {"ppc64", "powerpc64", "pwr10", ""},
    {"ppc64le", "powerpc64le", "pwr10", ""},
    {"s390x", "s390x", "arch13", ""},
    {"sparc", "sparc", "v8", ""},
    {"sparc64", "sparcv9", "v9", "+vis3"},
    {"x86_16", "i386-unknown-unknown-code16", "", ""},
    {"x86_64", "x86_64", "", ""},
};

struct tcgrr_llvm {
    const struct tcgrr_llvm_module *module;
    struct tcgrr_llvm_decoder *decoder;
};

/* The module in a folder, or below it; NULL if it is not there or another version's. It stays loaded. */
static const struct tcgrr_llvm_module *load_from(const char *folder, const char *below)
{
    g_autofree char *path = g_build_filename(folder, below, "libtcgrr-llvm.so", NULL);
    void *library = g_file_test(path, G_FILE_TEST_EXISTS) ? dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
    const struct tcgrr_llvm_module *module = library ? dlsym(library, "tcgrr_llvm_module") : NULL;

    return module && module->version == TCGRR_LLVM_MODULE_VERSION ? module : NULL;
}

/* It stands where the plugin does: beside what this is part of, or in the library folder's own one; seen from a test,
 * beside the program. */
static gpointer load(gpointer unused)
{
    static const char *const places[] = {".", "tcgrr", "../" TCGRR_LIBDIR "/tcgrr", "../bin"};
    const struct tcgrr_llvm_module *module = NULL;
    Dl_info self;

    if (!dladdr((void *)(uintptr_t)codes, &self) || !self.dli_fname) {
        return NULL;
    }
    /* A program is told by the word that it was called with. */
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    const char *path = strstr(self.dli_fname, ".so") || !program ? self.dli_fname : program;
    g_autofree char *folder = g_path_get_dirname(path);
    for (size_t i = 0; i < G_N_ELEMENTS(places) && !module; i++) {
        module = load_from(folder, places[i]);
    }
    return (gpointer)module;
}

struct tcgrr_llvm *tcgrr_llvm_new(const char *code)
{
    static GOnce once = G_ONCE_INIT;
    static GMutex mutex;
    const struct code *found = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(codes) && !found; i++) {
        found = strcmp(codes[i].name, code) == 0 ? &codes[i] : NULL;
    }
    const struct tcgrr_llvm_module *module = found ? g_once(&once, load, NULL) : NULL;
    if (!module) {
        return NULL;
    }
    /* LLVM's lists of targets are made by the first who opens one. */
    g_mutex_lock(&mutex);
    struct tcgrr_llvm_decoder *decoder = module->open(found->triple, found->cpu, found->features);
    g_mutex_unlock(&mutex);
    if (!decoder) {
        return NULL;
    }
    struct tcgrr_llvm *llvm = g_new0(struct tcgrr_llvm, 1);
    *llvm = (struct tcgrr_llvm){module, decoder};
    return llvm;
}

void tcgrr_llvm_free(struct tcgrr_llvm *llvm)
{
    if (llvm) {
        llvm->module->close(llvm->decoder);
        g_free(llvm);
    }
}

bool tcgrr_llvm_decode(struct tcgrr_llvm *llvm, uint64_t pc, const uint8_t *bytes, size_t length,
                       struct tcgrr_llvm_insn *insn, tcgrr_llvm_take take, void *data)
{
    return llvm && llvm->module->decode(llvm->decoder, pc, bytes, length, insn, take, data);
}
